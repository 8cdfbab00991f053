// The list of subcommands, in the order of help and manual.
#include <algorithm>
#include <memory>

#include "cli/command.h"

namespace posthaste::cli {
namespace {

constexpr char kAbout[] = "Mail event webhooks: a server, tools for its users, a test receiver.";

constexpr size_t kColumns = 100;
constexpr size_t kLeft = 30;

// Breaks lines at blanks; lines that begin with one stay as they are.
std::string wrapped(const std::string& text, size_t indent, size_t first_used) {
  std::string out;
  size_t used = first_used;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(" \n", at), text.size());
    const bool is_kept = text[at] == ' ' && (at == 0 || text[at - 1] == '\n');
    const size_t word_end = is_kept ? std::min(text.find('\n', at), text.size()) : end;
    const std::string word = text.substr(at, word_end - at);
    if (!is_kept && used > indent && used + 1 + word.size() > kColumns) {
      out += "\n" + std::string(indent, ' ');
      used = indent;
    } else if (used > indent && !word.empty()) {
      out += ' ';
      ++used;
    }
    out += word;
    used += word.size();
    if (word_end < text.size() && text[word_end] == '\n') {
      out += "\n" + std::string(indent, ' ');
      used = indent;
    }
    at = word_end + 1;
  }
  return out;
}

// Help in lines of bounded length.
class WrappingFormatter : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string head = "  " + make_option_name(option, is_positional);
    if (option->get_items_expected_max() > 0 && !is_positional) {
      head += " " + option->get_type_name();
      if (option->get_items_expected_max() > 1) head += " ...";
    }
    head += head.size() < kLeft ? std::string(kLeft - head.size(), ' ')
                                : "\n" + std::string(kLeft, ' ');
    const char* required = option->get_required() && !is_positional ? " Required." : "";
    return head + wrapped(make_option_desc(option) + required, kLeft, kLeft) + "\n";
  }
  std::string make_footer(const CLI::App* app) const override {
    return app->get_footer().empty() ? "" : wrapped(app->get_footer(), 0, 0) + "\n";
  }
};

std::string exit_statuses() {
  std::string text = "Exit status:\n";
  for (const ExitMeaning& row : kExitMeanings) {
    text += "  " + std::to_string(static_cast<int>(row.status)) + "  " + row.meaning + "\n";
  }
  return text + "Errors are one line on standard error.";
}

}  // namespace

void define_program(CLI::App& app, Chosen& chosen) {
  app.name("posthaste");
  app.description(kAbout);
  app.require_subcommand(0, 1);  // main says when there is none, after it said what is unknown
  app.set_version_flag("--version", "posthaste " POSTHASTE_VERSION, "Print the version.");
  app.set_help_flag("-h,--help", "Print this help.");
  const auto formatter = std::make_shared<WrappingFormatter>();
  formatter->column_width(kLeft);
  app.formatter(formatter);
  define_serve(app, chosen);
  define_push(app, chosen);
  define_webhook(app, chosen);
  define_key(app, chosen);
  define_spool(app, chosen);
  define_sink(app, chosen);
  define_events(app, chosen);
  define_config(app, chosen);
  define_version(app, chosen);
  // Last, since subcommands inherit it.
  app.footer(exit_statuses());
}

}  // namespace posthaste::cli
