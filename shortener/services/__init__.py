"""What editors do: an issue taken in, corrected and checked, picks drafted, signals added; and who they are."""
