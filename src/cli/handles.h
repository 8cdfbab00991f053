// The objects of the C interface as owners: each frees its object at the end of its scope.
#pragma once

#include "posthaste/posthaste.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace posthaste::cli {

struct HandleFree {
  void operator()(posthaste_conf_t* conf) const { posthaste_conf_free(conf); }
  void operator()(posthaste_error_t* error) const { posthaste_error_free(error); }
  void operator()(posthaste_filter_t* filter) const { posthaste_filter_free(filter); }
  void operator()(posthaste_report_t* report) const { posthaste_report_free(report); }
  void operator()(posthaste_t* engine) const { posthaste_free(engine); }
  void operator()(posthaste_text_t* text) const { posthaste_text_free(text); }
};

using Conf = std::unique_ptr<posthaste_conf_t, HandleFree>;
using Engine = std::unique_ptr<posthaste_t, HandleFree>;
using Filter = std::unique_ptr<posthaste_filter_t, HandleFree>;
using Report = std::unique_ptr<posthaste_report_t, HandleFree>;

// An error object, given to calls as `error`.
class ErrorText {
 public:
  operator posthaste_error_t*() const { return error_.get(); }
  std::string message() const { return posthaste_error_message(error_.get()); }

 private:
  std::unique_ptr<posthaste_error_t, HandleFree> error_{posthaste_error_new()};
};

// A text that a call puts out.
class Text {
 public:
  posthaste_text_t** out() {
    text_.reset();
    return &raw_;
  }
  std::string_view view() {
    if (raw_) text_.reset(std::exchange(raw_, nullptr));
    return {posthaste_text_data(text_.get()), posthaste_text_size(text_.get())};
  }
  ~Text() { view(); }

 private:
  posthaste_text_t* raw_ = nullptr;
  std::unique_ptr<posthaste_text_t, HandleFree> text_;
};

}  // namespace posthaste::cli
