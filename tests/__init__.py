"""Tests of Penstock; `tests.harness` is what several of them share."""
