"""`python -m stackctl` is the command."""

from stackctl.cli import main

if __name__ == "__main__":
    main()
