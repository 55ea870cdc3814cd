from deepstdp.errors import UserError, first_line, kind_and_line, one_line, printable_lines


def test_a_message_is_one_line_that_commands_no_terminal():
    assert str(UserError("a\nb\x1b[2Jc")) == "a\\nb\\x1b[2Jc"


def test_what_libraries_say_is_one_line():
    error = ValueError("\n  wrong size\nat line 3\n")
    assert first_line(error) == "wrong size"
    assert kind_and_line(error) == "ValueError: wrong size"
    assert one_line(str(error)) == "wrong size at line 3"


def test_a_library_that_says_nothing_is_known_by_the_kind_of_error():
    assert first_line(EOFError()) == "EOFError"
    assert kind_and_line(EOFError()) == "EOFError: "


def test_a_library_that_repeats_the_file_is_cut_short():
    error = ValueError("header " + "y" * 100_000)
    for said in (first_line(error), kind_and_line(error), one_line(str(error))):
        assert len(said) < 1_100
        assert said.endswith("y...")


def test_a_table_keeps_its_lines_and_commands_no_terminal():
    assert printable_lines("a\n\x1b]0;x\x07b") == "a\n\\x1b]0;x\\x07b"
