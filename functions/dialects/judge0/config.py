"""The configuration that clients read: what this service takes, in Judge0's names and units (seconds, KB)."""

from typing import Any

from events.limits import Ceilings

MAX_BATCH = 20
MAX_OPTION_CHARS = 512
DEFAULTS: dict[str, Any] = {
    "cpu_time_limit": 5.0,
    "cpu_extra_time": 0.0,
    "wall_time_limit": 10.0,
    "memory_limit": 262_144,
    "stack_limit": 65_536,
    "max_processes_and_or_threads": 10,
    "enable_per_process_and_thread_time_limit": False,
    "enable_per_process_and_thread_memory_limit": False,
    "max_file_size": 1024,
    "number_of_runs": 1,
    "redirect_stderr_to_stdout": False,
    "enable_network": False,
}
"""The values of a submission that leaves them out. Memory, stack and processes are then those of the language."""
DECIMALS = ("cpu_time_limit", "cpu_extra_time", "wall_time_limit")
"""Numbers that a submission shows as text."""


def config_info(most: Ceilings, max_queue_size: int) -> dict[str, Any]:
    """Return all fields that the published clients require."""
    return {
        "maintenance_mode": False,
        "enable_wait_result": True,
        "enable_compiler_options": True,
        "allowed_languages_for_compile_options": [],
        "enable_command_line_arguments": True,
        "enable_submission_delete": False,
        "enable_callbacks": True,
        "callbacks_max_tries": 10,
        "callbacks_timeout": 15.0,
        "enable_additional_files": True,
        "max_queue_size": max_queue_size,
        **DEFAULTS,
        "max_cpu_time_limit": float(most.cpu_time_secs),
        "max_cpu_extra_time": 5.0,
        "max_wall_time_limit": float(most.wall_time_secs),
        "max_memory_limit": most.memory_mb * 1024,
        "max_stack_limit": most.memory_mb * 1024,
        "max_max_processes_and_or_threads": 1024,
        "allow_enable_per_process_and_thread_time_limit": False,
        "allow_enable_per_process_and_thread_memory_limit": False,
        "max_max_file_size": 102_400,
        "max_number_of_runs": 1,
        "allow_enable_network": False,
        "max_extract_size": 256,
        "enable_batched_submissions": True,
        "max_submission_batch_size": MAX_BATCH,
        "submission_cache_duration": 0.0,
        "use_docs_as_homepage": False,
    }
