"""Speed and memory, measured: `python -m bench`. Results go to bench/results, a summary to docs/benchmarks.md."""
