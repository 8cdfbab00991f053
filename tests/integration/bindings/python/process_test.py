"""The binding at the ends of processes: exit of every kind, and fork. Each case is a program of its own that must end with
its status, without a word on stderr, and soon."""

import unittest

from binding_case import BindingCase

RUNS = 3
BEGIN = """
    import atexit, os, signal, sys, threading, time
    import posthaste
    engine = posthaste.Engine({"batch.max_age": "5ms", "log.reports": "debug", "log.level": "debug"})
    engine.put("hook", {"name": "hook", "target": sys.argv[1], "events": "*"})
    def push():
        while True:
            engine.push("delivery", {"a": 1})
            engine.push("bounce", b'{"a":1}')
            time.sleep(0.0002)
    def poll():
        while True:
            engine.poll(None)
    def wait():
        while True:
            engine.flush(None)
    def begin(*functions, daemon=True):
        for function in functions:
            threading.Thread(target=function, daemon=daemon).start()
        time.sleep(0.05)
"""


class Exit(BindingCase):
    def ends(self, source: str, status: int = 0, output: str = "") -> None:
        receiver = self.receiver()
        for _ in range(RUNS):
            self.assertEqual(self.run_python(BEGIN + source, receiver.url, self.folder, expected_status=status), output)

    def test_an_engine_that_was_never_closed(self) -> None:
        self.ends("""
    engine.start()
    engine.push("delivery", {"a": 1})
        """)

    def test_daemon_threads_in_push_poll_and_flush(self) -> None:
        self.ends("""
    engine.start()
    begin(push, push, poll, wait)
        """)

    def test_a_close_by_atexit_beside_daemon_threads(self) -> None:
        self.ends("""
    engine.start()
    atexit.register(lambda: print("closed", engine.close(2)))
    def tolerant():
        try:
            push()
        except posthaste.State:
            pass
    begin(tolerant, poll)
        """, output="closed None\n")

    def test_sys_exit_with_a_status_inside_the_block(self) -> None:
        self.ends("""
    with engine:
        begin(poll)
        engine.push("delivery", {"a": 1})
        sys.exit(7)
        """, status=7)

    def test_os_exit_in_the_middle(self) -> None:
        self.ends("""
    engine.start()
    begin(push, poll)
    os._exit(3)
        """, status=3)

    def test_sigterm_handled_by_sys_exit(self) -> None:
        self.ends("""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
    engine.start()
    begin(push)
    os.kill(os.getpid(), signal.SIGTERM)
    engine.poll(None)
        """, status=5)

    def test_a_thread_that_is_no_daemon_closes_after_the_main_thread_ended(self) -> None:
        self.ends("""
    engine.start()
    def end():
        time.sleep(0.1)
        engine.push("delivery", {"a": 1})
        engine.close(5)
        print(len([r for r in engine.reports() if r.kind == "delivered"]))
    begin(end, daemon=False)
        """, output="1\n")

    def test_a_dozen_engines_in_a_global_and_in_a_cycle(self) -> None:
        self.ends("""
    engines = [posthaste.Engine() for _ in range(12)]
    for other in engines:
        other.start()
        other.me = other
    engine.start()
    begin(push, poll)
        """)

    def test_an_export_in_a_daemon_thread(self) -> None:
        self.ends("""
    import tempfile
    spool = posthaste.Engine({"spool.dir": tempfile.mkdtemp(dir=sys.argv[2]), "delivery": "off"})
    spool.put("hook", {"name": "hook", "target": sys.argv[1], "events": "*"})
    spool.start()
    spool.push_many("delivery", b'{"a":1}\\n' * 500)
    spool.flush()
    batch = spool.waiting_list()[0]["batch_id"]
    def export():
        try:
            while True:
                spool.batch_export(batch, lambda piece: time.sleep(0.001))
        except RuntimeError:
            pass
    begin(export, export)
        """)


class Fork(BindingCase):
    def test_an_inherited_engine_says_forked_and_a_new_one_works(self) -> None:
        receiver = self.receiver()
        output = self.run_python(BEGIN + """
    engine.start()
    engine.push("delivery", {"who": "parent"})
    child = os.fork()
    if not child:
        for call in (lambda: engine.push("delivery", {"a": 1}), lambda: engine.push("delivery", b"{}"), engine.flush,
                     engine.close, engine.poll, engine.list, lambda: engine.find("hook")):
            try:
                call()
                print("not refused")
            except posthaste.Forked as error:
                assert error.name == "POSTHASTE_E_FORKED"
        assert not engine.wants("delivery")
        del engine
        with posthaste.Engine() as mine:
            mine.put("hook", {"name": "hook", "target": sys.argv[1], "events": "*"})
            mine.push("delivery", {"who": "child"})
        print("child", [report.kind for report in mine.reports()], flush=True)
        sys.exit(9)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    engine.close()
    print("parent", status, [report.kind for report in engine.reports() if report.kind == "delivered"])
        """, receiver.url)
        self.assertEqual(output, "child ['delivered']\nparent 9 ['delivered']\n")
        self.assertEqual(sorted(event["who"] for event in receiver.events()), ["child", "parent"])

    def test_children_of_multiprocessing_have_engines_of_their_own(self) -> None:
        program = f"{self.folder}/workers.py"
        with open(program, "w", encoding="utf-8") as file:
            file.write(WORKERS)
        for method in ("fork", "spawn", "forkserver"):
            receiver = self.receiver()
            with self.subTest(method):
                self.assertEqual(self.run_program(program, method, receiver.url), "[0, 0, 0]\n")
                self.assertEqual(sorted(event["who"] for event in receiver.events()), [0, 1, 2, 3])

    def run_program(self, program: str, *arguments: str) -> str:
        return self.run_python("import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))",
                               program, *arguments)


WORKERS = """
import multiprocessing, sys
import posthaste

engine = None

def work(who, url):
    if engine is not None:  # inherited
        try:
            engine.push("delivery", b"{}")
            sys.exit(1)
        except posthaste.Forked:
            pass
    with posthaste.Engine() as mine:
        mine.put("hook", {"name": "hook", "target": url, "events": "*"})
        mine.push("delivery", {"who": who})

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    engine = posthaste.Engine()
    engine.put("hook", {"name": "hook", "target": sys.argv[2], "events": "*"})
    with engine:
        children = [context.Process(target=work, args=(who, sys.argv[2])) for who in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        engine.push("delivery", {"who": 3})
    print([child.exitcode for child in children])
"""


if __name__ == "__main__":
    unittest.main()
