"""A Windows job object: bounds a process's memory, and ends it when the last handle is closed.

After Microsoft's documentation of JOBOBJECT_EXTENDED_LIMIT_INFORMATION; imported on Windows only.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from typing import Any

EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation
PROCESS_MEMORY = 0x100  # JOB_OBJECT_LIMIT_PROCESS_MEMORY
KILL_ON_CLOSE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE


class _Basic(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class _Extended(ctypes.Structure):
    _fields_ = (
        ("Basic", _Basic),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class Job:
    """Holds `process` to `memory` bytes. Raises OSError where Windows refuses."""

    _handle: int | None = None
    _close: Any = None

    def __init__(self, process: subprocess.Popen[bytes], memory: int) -> None:
        if sys.platform != "win32":
            raise OSError("only Windows has job objects")
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateJobObjectW.restype = ctypes.c_void_p
        kernel.CreateJobObjectW.argtypes = (ctypes.c_void_p, ctypes.c_wchar_p)
        kernel.SetInformationJobObject.argtypes = (
            ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32,
        )  # fmt: skip
        kernel.AssignProcessToJobObject.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
        self._close = kernel.CloseHandle
        self._handle = kernel.CreateJobObjectW(None, None)
        if not self._handle:
            raise ctypes.WinError(ctypes.get_last_error())
        limits = _Extended()
        limits.Basic.LimitFlags = PROCESS_MEMORY | KILL_ON_CLOSE
        limits.ProcessMemoryLimit = memory
        size = ctypes.sizeof(limits)
        done = kernel.SetInformationJobObject(
            self._handle, EXTENDED_LIMITS, ctypes.byref(limits), size
        ) and kernel.AssignProcessToJobObject(self._handle, int(process._handle))
        if not done:
            error = ctypes.get_last_error()
            self._close(self._handle)
            self._handle = None
            raise ctypes.WinError(error)

    def __del__(self) -> None:
        if self._handle:
            self._close(self._handle)
            self._handle = None
