"""The questions as people meet them: in a terminal, with keys."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect  # type: ignore[import-untyped]  # it has no type information
import pytest
import yaml
from omnistack.template.catalog import load_catalog

from tests.conftest import commit_all
from tests.tool.conftest import write
from tests.tool.test_new_refuses import add_billing

pytestmark = [
    pytest.mark.slow,
    # The runner's own threads take no part in the child, which becomes another program at once.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

UP, DOWN, SPACE, ENTER, CTRL_C, CLEAR = "\x1b[A", "\x1b[B", " ", "\r", "\x03", "\x15"
CURSOR_WHERE, CURSOR_HERE = "\x1b[6n", "\x1b[1;1R"
ENDLESS = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"
TEXTS = ("Product name", "packages and databases", "Description", "Author", "email address")


class Terminal:
    """The program in a terminal."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        program = ["-c", "from omnistack.cli import main; main()", *arguments]
        self.child = pexpect.spawn(
            sys.executable, program, cwd=str(cwd), encoding="utf-8", timeout=120, dimensions=(60, 160)
        )

    def sees(self, text: str) -> None:
        """Wait until a text is shown; meanwhile answer, as terminals do, where the cursor is."""
        while self.child.expect_exact([CURSOR_WHERE, text]) == 0:
            self.child.send(CURSOR_HERE)

    def types(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            self.child.send(key)

    def answers(self, question: str, text: str = "") -> None:
        """Wait for a question and press Enter; a text takes its default's place before."""
        self.sees(question)
        self.types(*([CLEAR, text] if text else []), ENTER)

    def passes_texts(self) -> None:
        """Take the defaults up to the preset."""
        for question in TEXTS:
            self.answers(question)
        self.answers("Python version")

    def ends(self) -> int:
        """Wait for the program's end and give its exit status."""
        while self.child.expect_exact([CURSOR_WHERE, pexpect.EOF]) == 0:
            self.child.send(CURSOR_HERE)
        self.child.close()
        return int(self.child.exitstatus)


type Open = Callable[..., Terminal]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where the user stands."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def new(small: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Run `omnistack new my-api` in a terminal."""
    monkeypatch.setenv("OMNISTACK_TEMPLATE", str(small))
    monkeypatch.setenv("TERM", "xterm-256color")
    opened: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        opened.append(Terminal(work, "new", "my-api", "--no-sync", *arguments))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.child.close(force=True)


def recorded(work: Path) -> dict[str, object]:
    document = yaml.safe_load((work / "my-api/.copier-answers.yml").read_text())
    assert isinstance(document, dict)
    return document


def test_enter_on_every_question_makes_the_default_project(new: Open, work: Path) -> None:
    terminal = new()
    terminal.passes_texts()
    terminal.answers("fills in the answers")
    terminal.answers("Change something?")
    terminal.sees("The project in")
    terminal.answers("Create this project?")
    assert terminal.ends() == 0
    answers = recorded(work)
    assert (answers["project_name"], answers["project_slug"]) == ("My Api", "my-api")
    assert (answers["preset"], answers["auth"], answers["projects"]) == ("saas", "custom", True)
    assert (work / "my-api/.git").is_dir()


def test_texts_are_validated_where_they_are_typed(new: Open, work: Path) -> None:
    terminal = new("--preset", "minimal")
    terminal.answers("Product name", "Würst & Co")
    terminal.answers("packages and databases", "Not A Slug")
    terminal.sees("lower-case letters")
    terminal.types(CLEAR, "wurst", ENTER)
    for question in (*TEXTS[2:], "Python version", "Change something?", "Create this project?"):
        terminal.answers(question)
    assert terminal.ends() == 0
    assert recorded(work)["project_name"] == "Würst & Co"
    assert recorded(work)["project_slug"] == "wurst"


def test_custom_asks_for_a_provider_a_port_and_one_list_of_the_rest(new: Open, work: Path) -> None:
    terminal = new()
    terminal.passes_texts()
    terminal.sees("fills in the answers")
    terminal.types(UP, UP, ENTER)  # from saas over minimal to custom, the last
    terminal.sees("Authentication provider")
    terminal.types(DOWN, DOWN, ENTER)
    terminal.answers("Email provider")
    terminal.answers("File storage")
    terminal.sees("Modules and infrastructure")
    terminal.types(DOWN, DOWN, DOWN, DOWN, SPACE, ENTER)  # past Stripe, App Store, Google Play and Contact form
    terminal.answers("Create this project?")
    assert terminal.ends() == 0
    answers = recorded(work)
    assert (answers["preset"], answers["auth"], answers["projects"]) == ("custom", "clerk", True)
    assert (answers["email"], answers["storage"]) == ("none", "none")


def test_the_answers_of_a_preset_can_be_changed_one_by_one(new: Open, work: Path) -> None:
    terminal = new("--preset", "saas")
    terminal.passes_texts()
    terminal.sees("Email provider: Resend")
    terminal.types(DOWN, DOWN, ENTER)
    terminal.sees("SMTP server")
    terminal.types(UP, ENTER)  # from Resend to the console
    terminal.sees("Email provider: Console")
    terminal.types(UP, ENTER)  # to the last entry, the list of modules
    terminal.sees("Enter to continue")
    terminal.types(*[UP] * 11, SPACE, ENTER)  # without jobs: past nine pieces of deployment and the toolbox
    terminal.sees("Modules and infrastructure: Redis, Stripe, Contact form, Projects, WebSocket, Administration")
    terminal.types(ENTER)
    terminal.answers("Create this project?")
    assert terminal.ends() == 0
    answers = recorded(work)
    assert (answers["preset"], answers["email"], answers["storage"]) == ("saas", "console", "s3")
    assert (answers["redis"], answers["jobs"], answers["projects"]) == (True, False, True)


def test_a_key_pressed_before_the_summary_does_not_confirm_it(new: Open, work: Path) -> None:
    terminal = new("--preset", "minimal")
    terminal.passes_texts()
    terminal.sees("Change something?")
    terminal.types(f"{ENTER}y")
    terminal.sees("Create this project?")
    terminal.types("n")
    assert terminal.ends() == 1
    assert list(work.iterdir()) == []


def test_what_lacks_a_requirement_is_grey_until_it_is_ticked(new: Open, small: Path, work: Path) -> None:
    add_billing(small)
    given = ["preset=custom", "auth=custom", "email=none", "storage=none"]
    others = load_catalog(small).questions.values()
    given += [f"{it.name}=false" for it in others if it.type == "bool" and it.name not in {"projects", "billing"}]
    terminal = new(*(part for answer in given for part in ("-d", answer)))
    terminal.passes_texts()
    terminal.sees("Modules and infrastructure")
    terminal.sees("- Billing: an example module to copy (billing requires projects:")
    terminal.types(DOWN, SPACE)  # down comes back to the first: the grey one is passed over
    terminal.sees("○ Billing: an example module")
    terminal.types(DOWN, SPACE)
    terminal.sees("● Billing: an example module")
    terminal.types(UP, SPACE, ENTER)
    terminal.sees("billing requires projects: set projects=true, or billing=false.")
    terminal.types(SPACE, ENTER)
    terminal.answers("Create this project?")
    assert terminal.ends() == 0
    answers = recorded(work)
    assert (answers["projects"], answers["billing"]) == (True, True)


def test_what_is_answered_is_not_asked(new: Open, work: Path) -> None:
    terminal = new("--preset", "minimal", "-d", "project_name=Given", "-d", "project_slug=given")
    for question in (*TEXTS[2:], "Python version", "Change something?", "Create this project?"):
        terminal.answers(question)
    assert terminal.ends() == 0
    assert "Product name" not in str(terminal.child.before)
    assert recorded(work)["project_name"] == "Given"


def test_no_makes_nothing(new: Open, work: Path) -> None:
    terminal = new("--preset", "minimal")
    for question in (*TEXTS, "Python version", "Change something?"):
        terminal.answers(question)
    terminal.sees("Create this project?")
    terminal.types("n")
    assert terminal.ends() == 1
    assert list(work.iterdir()) == []


def test_ctrl_c_at_a_question_leaves_nothing(new: Open, work: Path) -> None:
    terminal = new()
    terminal.answers("Product name")
    terminal.sees("packages and databases")
    terminal.types(CTRL_C)
    terminal.sees("error: interrupted")
    assert terminal.ends() == 130
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_rendering_leaves_nothing(
    new: Open, small: Path, work: Path, *, number: signal.Signals, status: int
) -> None:

    write(small / "template/endless.txt.jinja", ENDLESS)
    commit_all(small, "Endless")
    terminal = new("--defaults")
    terminal.sees("Rendering")
    terminal.child.kill(number)
    assert terminal.ends() == status
    assert list(work.iterdir()) == []


def test_a_second_ctrl_c_does_not_stop_the_tidying_up(new: Open, small: Path, work: Path) -> None:
    write(small / "template/endless.txt.jinja", ENDLESS)
    commit_all(small, "Endless")
    terminal = new("--defaults")
    terminal.sees("Rendering")
    terminal.types(CTRL_C, CTRL_C)
    terminal.child.expect(pexpect.EOF)
    assert list(work.iterdir()) == []
