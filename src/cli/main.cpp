// posthaste: the library as a command. Understands the arguments, runs what they chose, and turns
// every failure into one line and an exit status.
#include <cstdio>

#include "cli/command.h"
#include "cli/console.h"

namespace {

using namespace posthaste::cli;

// The parser's text in the form of ours: one line, lower case, no stop.
std::string one_line(std::string text) {
  for (char& character : text) {
    if (character == '\n') character = ' ';
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  const bool is_word = text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] > 'Z';
  const bool is_article = text.starts_with("A ");
  if (is_word || is_article) text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

// The names of the subcommands that were given, each with a blank before it.
std::string given_path(const CLI::App& app) {
  std::string path;
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    path += " " + at->get_name();
  }
  return path;
}

Exit run(CLI::App& app, const Chosen& chosen, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wish) {
    app.exit(wish);  // help or version was asked for
    return Exit::Ok;
  } catch (const CLI::ParseError& error) {
    return fail(Exit::Usage,
                one_line(error.what()) + "; see posthaste" + given_path(app) + " --help");
  }
  if (!chosen.action) {
    const std::string path = given_path(app);
    return fail(Exit::Usage, "a subcommand is needed; see posthaste" + path + " --help");
  }
  return chosen.action();
}

}  // namespace

int main(int argc, char** argv) {
  Exit status = Exit::Failed;
  try {
    CLI::App app;
    Chosen chosen;
    define_program(app, chosen);
    status = run(app, chosen, argc, argv);
  } catch (const std::exception& error) {
    fail(Exit::Failed, error.what());
  }
  // What a pipe or a disk did not take is no success.
  if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0) && status == Exit::Ok) {
    status = fail(Exit::Failed, "cannot write to standard output");
  }
  return static_cast<int>(status);
}
