"""The console command: the command line, with a quiet end if Ctrl-C comes while it is still being loaded."""


def main() -> int:
    """Load and run the command line; its exit code."""
    try:
        from agent.cli import main as run  # noqa: PLC0415  # loading takes half a second, and Ctrl-C may come

        return run()
    except KeyboardInterrupt:
        return 1
