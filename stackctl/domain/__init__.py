"""The words of stackctl as frozen values; standard library only."""
