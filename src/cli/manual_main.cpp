// posthaste-manual: writes what describes the command from the definitions that the command itself
// is made of: manual pages, completion for bash, and the page docs/command.md. Run by the build;
// not installed.
//
//   posthaste_manual man DIRECTORY | bash | markdown | arguments
//
// `arguments` is for tests: a line for each argument of each subcommand, with tabs between the
// words that call the subcommand, the argument, and what it takes, which is nothing for a flag.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "cli/command.h"

namespace {

using namespace posthaste::cli;

std::vector<const CLI::App*> children(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::Option*> options(const CLI::App& app, bool is_positional) {
  return app.get_options(
      [=](const CLI::Option* option) { return option->get_positional() == is_positional; });
}

std::string path_of(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent ? path_of(*parent) + " " + app.get_name() : app.get_name();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// "--listen HOST:PORT ...": an option's names, with what it takes.
std::string heading(const CLI::Option& option) {
  std::string text = option.get_name(false, true);
  for (size_t at = 0; (at = text.find(',', at)) != std::string::npos; at += 2)
    text.insert(at + 1, " ");
  if (!option.get_positional() && option.get_items_expected_max() != 0)
    text += " " + option.get_type_name();
  if (option.get_items_expected_max() > 1) text += " ...";
  return text;
}

std::string described(const CLI::Option& option) {
  std::string text = option.get_description();
  if (option.get_required()) text += " Required.";
  if (!option.get_default_str().empty()) text += " Default: " + option.get_default_str() + ".";
  return text;
}

std::string usage(const CLI::App& app) {
  std::string text = path_of(app);
  if (!options(app, false).empty()) text += " [OPTION]...";
  for (const CLI::Option* option : options(app, true)) {
    const std::string name =
        option->get_name(true) + (option->get_items_expected_max() > 1 ? "..." : "");
    text += option->get_required() ? " " + name : " [" + name + "]";
  }
  if (!children(app).empty()) text += " SUBCOMMAND";
  return text;
}

// Manual pages.

std::string roff(const std::string& text) {
  std::string out;
  for (const char character : text) {
    if (character == '\\') {
      out += "\\e";
    } else if (character == '-') {
      out += "\\-";
    } else {
      out += character;
    }
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

// Paragraphs; lines that begin with a blank stay as they are.
std::string roff_text(const std::string& text) {
  std::string out;
  bool is_block = false;
  for (const std::string& line : lines_of(text)) {
    const bool is_kept = line.starts_with(' ');
    if (is_kept != is_block) out += is_kept ? ".PP\n.nf\n" : ".fi\n";
    is_block = is_kept;
    out += line.empty() ? ".PP\n" : roff(line) + "\n";
  }
  return is_block ? out + ".fi\n" : out;
}

std::string roff_options(const CLI::App& app) {
  std::string out;
  for (const bool is_positional : {true, false}) {
    for (const CLI::Option* option : options(app, is_positional)) {
      out += ".TP\n.B " + roff(heading(*option)) + "\n" + roff(described(*option)) + "\n";
    }
  }
  return out;
}

std::string roff_subcommands(const CLI::App& app) {
  std::string out;
  for (const CLI::App* child : children(app)) {
    out += ".SH " + roff(path_of(*child)) + "\n" + roff(child->get_description()) + "\n.PP\n.B " +
           roff(usage(*child)) + "\n" + roff_options(*child);
    if (!child->get_footer().empty()) out += ".PP\n" + roff_text(child->get_footer());
  }
  return out;
}

std::string page_name(const CLI::App& app) {
  std::string name = path_of(app);
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string man_page(const CLI::App& app, const CLI::App& top) {
  const std::string name = page_name(app);
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  std::string out =
      fmt::format(".TH {} 1 \"\" \"posthaste {}\" \"Posthaste\"\n", roff(upper), POSTHASTE_VERSION);
  out += ".SH NAME\n" + roff(name) + " \\- " + roff(app.get_description()) + "\n";
  out += ".SH SYNOPSIS\n.B " + roff(usage(app)) + "\n.SH OPTIONS\n" + roff_options(app);
  if (&app == &top) {
    out += ".SH SUBCOMMANDS\n";
    for (const CLI::App* child : children(app)) {
      out +=
          ".TP\n.BR " + roff(page_name(*child)) + " (1)\n" + roff(child->get_description()) + "\n";
    }
  } else {
    out += roff_subcommands(app);
    if (!app.get_footer().empty()) out += ".SH DESCRIPTION\n" + roff_text(app.get_footer());
  }
  out += ".SH EXIT STATUS\n";
  for (const ExitMeaning& row : kExitMeanings) {
    out += fmt::format(".TP\n.B {}\n{}\n", static_cast<int>(row.status), roff(row.meaning));
  }
  return out + ".SH SEE ALSO\n" +
         (&app == &top ? "The documentation in the source tree.\n" : ".BR posthaste (1)\n");
}

bool write_file(const std::string& path, const std::string& text) {
  FILE* file = std::fopen(path.c_str(), "w");
  if (!file) return false;
  const bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && is_written;
}

bool write_pages(const CLI::App& top, const std::string& directory) {
  const auto write_page = [&](const CLI::App& app) {
    return write_file(directory + "/" + page_name(app) + ".1", man_page(app, top));
  };
  const auto all = children(top);
  return write_page(top) && std::all_of(all.begin(), all.end(),
                                        [&](const CLI::App* child) { return write_page(*child); });
}

// Completion for bash: the words that may follow a path of subcommands, and the values of options.

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::vector<std::string> long_names(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

// What completes the value of an option or argument; empty: nothing is known.
std::string value_words(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  if (open != std::string::npos) {
    std::string words = type.substr(open + 1, type.find('}') - open - 1);
    std::replace(words.begin(), words.end(), ',', ' ');
    return "-W '" + words + "'";
  }
  if (type == "DIR") return "-d";
  return type == "FILE" || option.get_name(true) == "FILE" ? "-f" : "";
}

void collect(const CLI::App& app, std::string& paths, std::string& words, std::string& values) {
  std::vector<std::string> names;
  std::string free_words;
  for (const CLI::App* child : children(app)) names.push_back(child->get_name());
  for (const CLI::Option* option : options(app, false)) {
    const auto own = long_names(*option);
    names.insert(names.end(), own.begin(), own.end());
    if (option->get_items_expected_max() == 0) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : own) patterns.push_back("'" + path_of(app) + " " + name + "'");
    const std::string how = value_words(*option);
    values += fmt::format("    {}) COMPREPLY=({}); return ;;\n", joined(patterns, " | "),
                          how.empty() ? "" : "$(compgen " + how + " -- \"$word\")");
  }
  for (const CLI::Option* option : options(app, true)) {
    const std::string how = value_words(*option);
    if (!how.empty()) free_words = how + " ";
  }
  words += fmt::format("    '{}') COMPREPLY=($(compgen {}-W '{}' -- \"$word\")) ;;\n", path_of(app),
                       free_words, joined(names, " "));
  for (const CLI::App* child : children(app)) {
    paths += (paths.empty() ? "'" : " | '") + path_of(*child) + "'";
    collect(*child, paths, words, values);
  }
}

std::string bash_completion(const CLI::App& top) {
  std::string paths;
  std::string words;
  std::string values;
  collect(top, paths, words, values);
  return fmt::format(
      "# Completion of the posthaste command for bash.\n"
      "_posthaste() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} at=posthaste "
      "i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$at ${{COMP_WORDS[i]}}\" in\n"
      "      {}) at=\"$at ${{COMP_WORDS[i]}}\" ;;\n"
      "    esac\n"
      "  done\n"
      "  COMPREPLY=()\n"
      "  case \"$at $before\" in\n{}  esac\n"
      "  case \"$at\" in\n{}  esac\n"
      "}}\n"
      "complete -F _posthaste posthaste\n",
      paths, values, words);
}

// docs/command.md.

std::string cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return text;
}

std::string markdown_text(const std::string& text) {
  std::string out;
  bool is_block = false;
  for (const std::string& line : lines_of(text)) {
    const bool is_kept = line.starts_with(' ') || (is_block && line.empty());
    if (is_kept != is_block) out += is_kept ? "```text\n" : "```\n";
    is_block = is_kept;
    out += line + "\n";
  }
  return is_block ? out + "```\n" : out;
}

std::string markdown_command(const CLI::App& app, int level) {
  std::string out = "\n" + std::string(static_cast<size_t>(level), '#') + " " + path_of(app) +
                    "\n\n" + app.get_description() + "\n\n    " + usage(app) + "\n";
  std::string rows;
  for (const bool is_positional : {true, false}) {
    for (const CLI::Option* option : options(app, is_positional)) {
      if (option == app.get_help_ptr()) continue;
      rows += "| `" + cell(heading(*option)) + "` | " + cell(described(*option)) + " |\n";
    }
  }
  if (!rows.empty()) out += "\n| argument | what it does |\n|---|---|\n" + rows;
  if (!app.get_footer().empty()) out += "\n" + markdown_text(app.get_footer());
  for (const CLI::App* child : children(app)) out += markdown_command(*child, level + 1);
  return out;
}

std::string markdown(const CLI::App& top) {
  std::string out =
      "# The posthaste command\n\n" + top.get_description() +
      "\n\nThis page is generated from the command's own definitions by "
      "`scripts/generate_docs.py`, as are "
      "its help, its manual\npages and its completion for bash; a test compares it.\n\n"
      "Errors are one line on standard error, and an exit status:\n\n| status | meaning "
      "|\n|---|---|\n";
  for (const ExitMeaning& row : kExitMeanings) {
    out += fmt::format("| {} | {} |\n", static_cast<int>(row.status), row.meaning);
  }
  for (const CLI::App* child : children(top)) out += markdown_command(*child, 2);
  return out;
}

// For tests.
std::string arguments(const CLI::App& app) {
  std::string out;
  for (const bool is_positional : {true, false}) {
    for (const CLI::Option* option : options(app, is_positional)) {
      const bool is_flag = !is_positional && option->get_items_expected_max() == 0;
      const std::string name =
          is_positional ? option->get_name(true) : "--" + option->get_lnames().front();
      out +=
          fmt::format("{}\t{}\t{}\n", path_of(app), name, is_flag ? "" : option->get_type_name());
    }
  }
  for (const CLI::App* child : children(app)) out += arguments(*child);
  return out;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app;
  Chosen chosen;
  define_program(app, chosen);
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "man" && argc == 3) return write_pages(app, argv[2]) ? 0 : 1;
  if (what == "bash") print(bash_completion(app));
  if (what == "markdown") print(markdown(app));
  if (what == "arguments") print(arguments(app));
  return what == "bash" || what == "markdown" || what == "arguments" ? 0 : 2;
}
