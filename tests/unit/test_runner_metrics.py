"""The page of a runner's metrics."""

import re

from sandbox_runtime.metrics import PHASE_BOUNDS_SECS, Metrics

SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="(\\.|[^"\\\n])*"(,[a-z_]+="(\\.|[^"\\\n])*")*\})? [0-9.e+-]+')


def samples(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in lines:
        assert SAMPLE.fullmatch(line), line
    return lines


def test_runs_are_counted_by_language_and_verdict() -> None:
    metrics = Metrics()
    for verdict in ("AC", "AC", "TLE"):
        metrics.count_run("python", verdict, {})
    metrics.count_run("c", "AC", {})
    text = metrics.text({}, {})
    runs = [line for line in samples(text) if line.startswith("rustbox_runs_total")]
    assert runs == [
        'rustbox_runs_total{language="c",verdict="AC"} 1',
        'rustbox_runs_total{language="python",verdict="AC"} 2',
        'rustbox_runs_total{language="python",verdict="TLE"} 1',
    ]
    assert "# TYPE rustbox_runs_total counter" in text


def test_phases_are_a_cumulative_histogram() -> None:
    metrics = Metrics()
    for secs in (0.0005, 0.001, 0.3, 60.0):
        metrics.count_run("c", "AC", {"run": secs})
    lines = samples(metrics.text({}, {}))
    buckets = [line for line in lines if line.startswith("rustbox_phase_seconds_bucket")]
    assert len(buckets) == len(PHASE_BOUNDS_SECS) + 1
    assert 'rustbox_phase_seconds_bucket{phase="run",le="0.001"} 2' in lines
    assert 'rustbox_phase_seconds_bucket{phase="run",le="0.5"} 3' in lines
    assert 'rustbox_phase_seconds_bucket{phase="run",le="30.0"} 3' in lines
    assert 'rustbox_phase_seconds_bucket{phase="run",le="+Inf"} 4' in lines
    assert 'rustbox_phase_seconds_count{phase="run"} 4' in lines
    assert 'rustbox_phase_seconds_sum{phase="run"} 60.3015' in lines


def test_the_metrics_page_shows_receive_errors_gauges_and_versions() -> None:
    metrics = Metrics()
    metrics.count_receive_error("batch")
    text = metrics.text({"rustbox_draining": ("Help.", True)}, {"rustbox_runner_info": {"c": 'gcc "14" \\ x\ny'}})
    lines = samples(text)
    assert 'rustbox_receive_errors_total{queue="batch"} 1' in lines
    assert "rustbox_draining 1" in lines
    assert 'rustbox_runner_info{c="gcc \\"14\\" \\\\ x\\ny"} 1' in lines
    assert any(line.startswith("rustbox_start_time_seconds ") for line in lines)
