import pytest

from hwnas.cli.main import main


@pytest.fixture
def refused(capsys):
    """Run a command line that must be refused: one clear line, exit code 2; gives that line."""

    def call(*arguments):
        capsys.readouterr()
        code = main([str(a) for a in arguments])
        said = capsys.readouterr()
        complaint = [line for line in said.err.splitlines() if line.startswith("hwnas: ")]
        assert code == 2, said.err
        assert said.out == ""
        assert complaint == said.err.splitlines()[-1:], said.err
        assert "Traceback" not in said.err
        return complaint[0]

    return call
