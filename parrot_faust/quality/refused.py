"""Great Expectations' expectations that a rule file can't have here, each with the reason."""

from __future__ import annotations

_WINDOW = "it needs a window over rows, which this version does not have"
_ELSEWHERE = "it needs another table or a query, which a stream of changes does not have"
_SCHEMA = "it is about the table's shape, and this version checks rows"
_NOT_YET = "this version does not have it"
_REASONS = {
    _WINDOW: """
        expect_column_bootstrapped_ks_test_p_value_to_be_greater_than
        expect_column_chisquare_test_p_value_to_be_greater_than
        expect_column_distinct_values_to_be_in_set expect_column_distinct_values_to_contain_set
        expect_column_distinct_values_to_equal_set expect_column_kl_divergence_to_be_less_than
        expect_column_max_to_be_between expect_column_mean_to_be_between expect_column_median_to_be_between
        expect_column_min_to_be_between expect_column_most_common_value_to_be_in_set
        expect_column_pair_cramers_phi_value_to_be_less_than
        expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than
        expect_column_proportion_of_non_null_values_to_be_between
        expect_column_proportion_of_unique_values_to_be_between expect_column_quantile_values_to_be_between
        expect_column_stdev_to_be_between expect_column_sum_to_be_between
        expect_column_unique_value_count_to_be_between expect_column_value_z_scores_to_be_less_than
        expect_column_values_to_be_decreasing expect_column_values_to_be_increasing
        expect_column_values_to_be_unique expect_column_values_to_not_be_outliers
        expect_compound_columns_to_be_unique expect_multicolumn_values_to_be_unique
        expect_table_row_count_to_be_between expect_table_row_count_to_equal
    """,
    _ELSEWHERE: """
        expect_query_results_to_match_comparison expect_table_row_count_to_equal_other_table
        unexpected_rows_expectation
    """,
    _SCHEMA: """
        expect_column_to_exist expect_column_type_to_be expect_table_column_count_to_be_between
        expect_table_column_count_to_equal expect_table_columns_to_match_ordered_list
        expect_table_columns_to_match_set
    """,
    _NOT_YET: """
        expect_column_pair_values_to_be_in_set expect_column_values_to_be_dateutil_parseable
        expect_column_values_to_be_json_parseable expect_column_values_to_match_json_schema
        expect_column_values_to_match_like_pattern expect_column_values_to_match_like_pattern_list
        expect_column_values_to_match_regex_list expect_column_values_to_match_strftime_format
        expect_column_values_to_not_match_like_pattern expect_column_values_to_not_match_like_pattern_list
        expect_column_values_to_not_match_regex_list expect_multicolumn_sum_to_equal
        expect_multicolumn_values_to_be_equal expect_select_column_values_to_be_unique_within_record
    """,
}

#: Full name -> why not.
NOT_HERE = {name: reason for reason, names in _REASONS.items() for name in names.split()}
