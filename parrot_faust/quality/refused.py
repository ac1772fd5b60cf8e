"""Great Expectations' expectations that a rule file can't have here, each with the reason."""

from __future__ import annotations

_ELSEWHERE = "it needs another table or a query, which a stream of changes does not have"
_SQL = "Great Expectations has it for SQL only: use match_regex"
_STATISTICS = "it needs all values of a window at once, more than once, which a stream does not keep"
_GUESSES = "what it takes depends on how a parser guesses: use match_strftime_format"
_OLD = "it is an old name: use expect_select_column_values_to_be_unique_within_record"
_REASONS = {
    _ELSEWHERE: """
        expect_query_results_to_match_comparison expect_table_row_count_to_equal_other_table
        unexpected_rows_expectation
    """,
    _SQL: """
        expect_column_values_to_match_like_pattern expect_column_values_to_match_like_pattern_list
        expect_column_values_to_not_match_like_pattern expect_column_values_to_not_match_like_pattern_list
    """,
    _STATISTICS: """
        expect_column_bootstrapped_ks_test_p_value_to_be_greater_than
        expect_column_chisquare_test_p_value_to_be_greater_than expect_column_kl_divergence_to_be_less_than
        expect_column_pair_cramers_phi_value_to_be_less_than
        expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than
        expect_column_value_z_scores_to_be_less_than expect_column_values_to_not_be_outliers
    """,
    _GUESSES: "expect_column_values_to_be_dateutil_parseable",
    _OLD: "expect_multicolumn_values_to_be_unique",
}

#: Full name -> why not.
NOT_HERE = {name: reason for reason, names in _REASONS.items() for name in names.split()}
