"""The tests, one folder per floor and kind; `harness` holds what they share."""
