"""Data-quality rules: files read, checked and compiled. Pure."""

from __future__ import annotations

from parrot_faust.quality.compiling import Compiled, compile_rules
from parrot_faust.quality.loading import load
from parrot_faust.quality.rules import Rule, RuleSet

__all__ = ["Compiled", "Rule", "RuleSet", "compile_rules", "load"]
