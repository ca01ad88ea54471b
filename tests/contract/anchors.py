"""The 46 statements that make the protocol better than its relatives (issue 3), and the tests of each.

A statement is shortened to one sentence. Where it names a time, no test asserts that, for a busy machine
would fail it: `benchmarks/` measures it (MEASURED). `test_anchors` looks whether all of this is there.
"""

from __future__ import annotations

__all__ = ["ANCHORS", "MEASURED"]

STALL = "tests/children/test_backpressure.py::"
LOOPS = "tests/children/test_crash_loops.py::"
DEATH = "tests/children/test_death_of_the_host.py::"
FLOODS = "tests/children/test_floods.py::"
MEETING = "tests/children/test_meeting.py::"
MISBEHAVE = "tests/children/test_plugins_that_misbehave.py::"
BREAK = "tests/children/test_programs_that_break_the_protocol.py::"
ZOO = "tests/children/test_zoo.py::"
ATTACH = "tests/cli/test_attach.py::"
IMPORTS = "tests/cli/test_broken_imports.py::"
APART = "tests/cli/test_cells_apart.py::"
QUARANTINE = "tests/cli/test_crash_loops.py::"
MODEL_ERRORS = "tests/cli/test_model_errors.py::"
NESTED = "tests/cli/test_nested_prompts.py::"
LISTS = "tests/cli/test_quick_lists.py::"
STALLED = "tests/cli/test_stalled_consumer.py::"
STOPPING = "tests/cli/test_stopping.py::"
TRACING = "tests/cli/test_tracing.py::"
TRANSCRIPTS = "tests/cli/test_transcripts.py::"
FIRST = "tests/contract/test_first_line.py::"
PLUGIN = "tests/contract/test_plugin_side.py::"
RULES = "tests/contract/test_rules.py::"
LINT = "tests/house/test_deadlines.py::"
KINDS = "tests/house/test_error_kinds.py::"
STREAMS = "tests/kernel/session/test_streams.py::"
CALLS = "tests/kernel/supervisor/test_calls.py::"
IDLENESS = "tests/kernel/supervisor/test_idleness.py::"
ATTACHED = "tests/kernel/test_attach.py::"
BOOTSTRAP = "tests/kernel/test_bootstrap.py::"
BREAKER = "tests/kernel/test_breaker.py::"
CATALOGUE = "tests/kernel/test_catalogue.py::"
DEADLINE = "tests/kernel/test_deadline.py::"
FAILURES = "tests/kernel/test_failures.py::"
ORDER = "tests/kernel/test_order.py::"
OUTBOX = "tests/kernel/test_outbox.py::"
PROCESS = "tests/kernel/test_process.py::"
TRACE = "tests/kernel/tracing/test_trace.py::"
STRESS = "tests/sdk/test_child_stress.py::"
JOINED = "tests/sdk/test_coalescing.py::"
HOOKS = "tests/sdk/test_hooks.py::"
KIT = "tests/sdk/test_testing_pytest.py::"
TRANSPORTS = "tests/sdk/test_testing_transports.py::"
WIRE = "tests/wire/test_connection.py::"
FUZZ = "tests/wire/test_fuzz.py::"
COST = "tests/wire/test_fuzz_cost.py::"
DICE = "tests/wire/test_interleavings.py::"

ANCHORS: dict[int, tuple[str, list[str]]] = {
    1: (
        "The first lines are frozen; another version is one error that names both and the side to upgrade.",
        [
            FIRST + "test_both_first_lines_are_these_bytes_for_ever",
            FIRST + "test_whatever_the_first_line_holds_gets_one_answer_and_the_next_one_may_be_right",
            FIRST + "test_whatever_a_plugin_answers_first_is_one_outcome",
            FIRST + "test_versions_without_one_in_common_are_both_named_with_the_side_to_upgrade",
            FIRST + "test_the_frozen_members_are_enough_to_tell_versions_apart",
            BREAK + "test_a_plugin_of_another_protocol_version_says_who_must_be_upgraded",
            FAILURES + "test_a_plugin_of_another_version_says_which_side_is_behind",
        ],
    ),
    2: (
        "A mute plugin fails in a time that can be set, with its last words; nobody else notices.",
        [
            MEETING + "test_a_mute_plugin_fails_with_its_last_words_and_disturbs_nobody",
            MEETING + "test_how_long_a_mute_plugin_is_waited_for_is_a_setting",
            APART + "test_what_a_mute_plugin_said_last_stands_in_the_error",
            "tests/cli/test_bad_neighbours.py::test_the_list_of_plugins_names_each_cause",
            DEADLINE + "test_every_deadline_has_a_usual_time_and_only_inner_ones_can_be_off",
        ],
    ),
    3: (
        "One round trip makes a plugin ready.",
        [
            FIRST + "test_one_round_trip_and_a_plugin_answers",
            WIRE + "test_one_round_trip_makes_both_sides_ready",
        ],
    ),
    4: (
        "Before that, requests are refused as not initialized, notifications dropped and counted.",
        [
            FIRST + "test_before_the_first_line_is_answered_every_request_is_refused_and_all_else_counted",
            FIRST + "test_a_real_plugin_refuses_what_comes_too_early_and_is_met_afterwards",
        ],
    ),
    5: (
        "Nothing unknown ends a connection: no feature, member, value, item or method.",
        [
            MEETING + "test_what_neither_side_knows_changes_nothing",
            FUZZ + "test_unknown_members_everywhere_change_nothing",
            WIRE + "test_unknown_features_and_members_are_read_over",
            WIRE + "test_an_unknown_error_kind_is_kept",
            "tests/examples/test_protocol_duties.py::test_what_it_does_not_know_does_no_harm",
        ],
    ),
    6: (
        "The version of the protocol is not that of the host; a recorded conversation replays.",
        [
            TRACING + "test_a_recorded_conversation_of_an_older_version_still_goes_the_same_way",
            PLUGIN + "test_the_highest_common_version_is_chosen",
        ],
    ),
    7: (
        "Whatever is printed, by whatever, lands in the log and never on the wire.",
        [
            MISBEHAVE + "test_nothing_that_a_plugin_prints_reaches_the_wire",
            PLUGIN + "test_whatever_prints_lands_in_the_log_and_never_on_the_wire",
            BOOTSTRAP + "test_code_in_a_pth_file_runs_after_the_wire_is_out_of_reach",
        ],
    ),
    8: (
        "A program that a plugin starts reads an empty input.",
        [
            PLUGIN + "test_a_program_that_the_plugin_starts_reads_nothing",
            BOOTSTRAP + "test_the_wire_is_out_of_reach_of_the_plugin_and_of_what_it_starts",
        ],
    ),
    9: (
        "Stray lines are logged and skipped up to a limit, and then the plugin is stopped.",
        [
            BREAK + "test_lines_that_are_no_messages_are_logged_and_skipped",
            BREAK + "test_a_flood_of_lines_that_are_no_messages_stops_the_plugin",
            FLOODS + "test_messages_that_make_no_sense_count_as_junk",
            WIRE + "test_too_much_junk_ends_the_connection",
        ],
    ),
    10: (
        "An endless line costs its cap, linear work and that plugin; a long legal one is read.",
        [
            COST + "test_an_endless_line_costs_the_cap_and_linear_work",
            COST + "test_a_legal_line_of_64_mib_is_read_under_a_raised_cap",
            BREAK + "test_an_endless_line_costs_its_cap_and_ends_only_that_plugin",
            "tests/wire/test_framing.py::test_before_initialize_is_answered_a_line_is_capped_lower",
        ],
    ),
    11: (
        "Bytes cut anywhere are the same messages; whatever cannot be read is answered or reported.",
        [
            FUZZ + "test_cutting_and_line_ends_change_nothing",
            FUZZ + "test_a_conversation_in_single_bytes_is_the_same",
            FUZZ + "test_a_hostile_value_anywhere_is_refused_ignored_or_ends_the_connection",
            FUZZ + "test_text_that_is_cut_in_the_wrong_place_loses_a_character_and_not_an_item",
            FUZZ + "test_a_message_that_is_too_deep_is_answered_by_what_it_is",
            COST + "test_a_line_that_dribbles_costs_no_more_than_one_that_pours",
            COST + "test_a_line_made_to_be_slow_costs_linear_work_and_memory",
        ],
    ),
    12: (
        "A value that cannot be written fails its own call and nothing else.",
        [
            FUZZ + "test_what_is_too_deep_to_be_read_is_not_sent",
            FUZZ + "test_what_was_read_can_be_written_again",
            WIRE + "test_what_has_no_json_form_fails_only_itself",
            WIRE + "test_a_number_that_json_lacks_is_sent_as_null",
            BREAK + "test_a_request_that_is_too_large_fails_alone",
            "tests/sdk/test_emit.py::test_text_that_is_not_unicode_fails_this_call_only",
        ],
    ),
    13: (
        "Batches are refused.",
        [
            WIRE + "test_a_batch_is_refused",
            WIRE + "test_a_batch_is_refused_whatever_stands_before_it",
        ],
    ),
    14: (
        "Nobody sends more than was granted; a stalled consumer costs bounded memory, and can cancel.",
        [
            STALL + "test_a_plugin_whose_consumer_stays_away_says_no_more_than_its_credit",
            BREAK + "test_data_beyond_the_credit_stops_the_plugin",
            BREAK + "test_a_consumer_that_stops_reading_stops_the_plugin_within_its_credit",
            STALLED + "test_a_consumer_that_does_not_read_costs_neither_side_memory_and_loses_nothing",
            STALLED + "test_one_ctrl_c_ends_a_command_whose_reader_does_not_read",
            JOINED + "test_an_author_is_held_up_as_soon_as_a_line_or_many_items_wait",
        ],
    ),
    15: (
        "Cancel, credit and ping overtake data that waits, on each side.",
        [
            OUTBOX + "test_control_overtakes_what_waits_and_no_line_is_torn",
            STALL + "test_another_call_of_the_same_plugin_is_not_reached_by_the_stall",
            PLUGIN + "test_cancel_ping_and_credit_overtake_data_that_waits",
            STREAMS + "test_a_plugin_that_grants_much_and_reads_nothing_stops_the_stream",
        ],
    ),
    16: (
        "Items come in order, without gaps, before the response, which counts them and is the only end.",
        [
            BREAK + "test_lost_items_are_an_error_and_not_a_shorter_answer",
            MISBEHAVE + "test_many_small_pieces_arrive_complete_and_in_order",
            WIRE + "test_data_after_the_response_ends_the_connection",
            "tests/wire/test_states.py::test_only_an_answer_ends_a_call",
            DICE + "test_long_talks_with_dice_keep_every_promise",
        ],
    ),
    17: (
        "What waits for credit is joined without loss.",
        [
            JOINED + "test_the_items_joined_are_the_items_unjoined",
            JOINED + "test_what_waits_for_credit_is_joined_as_far_as_it_may_be",
            "tests/sdk/test_emit.py::test_the_text_is_the_same_whatever_the_credit",
            STALL + "test_a_consumer_that_comes_back_gets_all_of_it_in_order",
        ],
    ),
    18: (
        "Every request gets exactly one response, cancelled ones and those at the end too.",
        [
            DICE + "test_long_talks_with_dice_keep_every_promise",
            WIRE + "test_open_calls_end_as_usual_and_new_ones_are_refused",
            BREAK + "test_the_first_of_two_answers_counts_and_the_second_stops_the_plugin",
            BREAK + "test_a_cancelled_call_of_a_cooperative_plugin_ends_with_its_result",
            STRESS + "test_every_call_is_answered_exactly_once_whatever_happens_around_it",
        ],
    ),
    19: (
        "A cancelled call ends by itself in its grace, or by the ladder.",
        [
            BREAK + "test_a_plugin_that_ignores_a_cancel_is_gone_soon_and_the_call_returns",
            MISBEHAVE + "test_a_call_that_never_ends_is_ended",
            PLUGIN + "test_a_cancelled_call_is_answered_and_the_plugin_lives",
        ],
    ),
    20: (
        "Every call has deadlines, nested ones what is left; none is made without.",
        [
            LINT + "test_no_call_is_made_without_a_deadline",
            LINT + "test_nobody_can_call_without_saying_how_long",
            LINT + "test_nothing_is_waited_for_without_a_bound",
            LINT + "test_the_lint_sees_a_seeded_violation",
            BREAK + "test_silence_after_the_first_item_is_limited",
            CALLS + "test_a_slow_inner_plugin_gets_what_is_left_of_the_outer_ones_time",
            NESTED + "test_a_slow_inner_model_has_no_more_time_than_the_prompt",
        ],
    ),
    21: (
        "A reader waits for no handler; a thousand nested calls end, or are told of a deadlock.",
        [
            CALLS + "test_a_thousand_callbacks_end_or_are_refused",
            CALLS + "test_a_thousand_callbacks_at_once_are_all_answered",
            CALLS + "test_two_chains_that_want_each_others_place_do_not_hang",
            CALLS + "test_a_plugin_that_asks_itself_is_told_so_at_once",
            NESTED + "test_a_circle_of_prompts_is_an_answer_and_no_hang",
            "tests/kernel/supervisor/test_waits.py::test_exactly_the_turns_are_refused_that_could_never_run",
        ],
    ),
    22: (
        "A plugin's call needs a live parent, and ends with it on both sides.",
        [
            BREAK + "test_a_plugin_may_ask_the_host_only_on_behalf_of_an_open_call",
            BREAK + "test_the_end_of_a_call_cancels_what_was_asked_for_it",
            CALLS + "test_the_end_of_the_users_call_ends_the_nested_ones",
            NESTED + "test_ctrl_c_ends_the_inner_plugin_with_the_outer_one",
            "tests/kernel/session/test_services.py::test_a_call_for_a_parent_that_was_answered_is_refused",
        ],
    ),
    23: (
        "Calls are nested eight deep and no deeper.",
        [CALLS + "test_calls_may_be_nested_eight_deep_and_no_deeper"],
    ),
    24: (
        "Help and lists of what is known start no plugin and load neither packaging library nor event loop.",
        [
            LISTS + "test_a_list_of_what_is_known_starts_nothing_and_loads_no_event_loop",
            LISTS + "test_the_observer_sees_a_start",
            CATALOGUE + "test_reading_needs_neither_an_event_loop_nor_the_packaging_library",
            "tests/house/test_imports.py::test_only_listed_modules_are_loaded_by",
        ],
    ),
    25: (
        "Whatever changes is seen by the next command; a damaged entry costs one question.",
        [
            CATALOGUE + "test_a_change_of_what_is_installed_is_seen_by_the_next_command",
            CATALOGUE + "test_another_interpreter_or_sdk_has_everybody_asked_again",
            CATALOGUE + "test_a_damaged_entry_costs_one_question",
            "tests/kernel/test_discovery.py::test_an_edit_of_an_editable_plugin_changes_its_key",
            "tests/cli/test_install.py::test_an_installed_plugin_survives_an_upgrade_of_the_host",
        ],
    ),
    26: (
        "Hosts that refresh the catalogue at once leave it whole, and lose nothing.",
        [CATALOGUE + "test_commands_that_start_at_once_ask_each_plugin_once_and_lose_nothing"],
    ),
    27: (
        "Idle plugins stop unless a call or a hold keeps them; a hold has a reason, shows, and can be ended.",
        [
            IDLENESS + "test_an_idle_plugin_is_stopped_and_started_again_when_needed",
            IDLENESS + "test_an_open_call_and_its_nested_one_are_no_idleness",
            IDLENESS + "test_a_hold_keeps_an_idle_plugin_and_is_there_for_all_to_see",
            IDLENESS + "test_the_user_ends_a_hold_from_another_process",
            NESTED + "test_holds_are_listed_and_released",
        ],
    ),
    28: (
        "A crash fails all its calls with its cause and last lines; only what is repeatable is repeated.",
        [
            MEETING + "test_a_crash_fails_all_calls_with_its_signal_and_the_last_twenty_lines",
            MISBEHAVE + "test_a_crash_is_told_by_its_signal_or_exit_code",
            STOPPING + "test_a_crash_is_one_sentence_with_its_cause_and_the_last_words",
            LOOPS + "test_a_description_that_crashes_is_asked_for_once_more",
            LOOPS + "test_a_prompt_is_never_repeated",
            BREAKER + "test_only_what_the_protocol_calls_repeatable_may_be_repeated",
        ],
    ),
    29: (
        "Pauses double; three crashes keep a plugin out, for later commands too, until it is new or let go.",
        [
            BREAKER + "test_the_pause_before_a_restart_doubles_and_is_never_the_same_for_all",
            BREAKER + "test_three_crashes_in_a_short_time_keep_a_plugin_from_starting",
            QUARANTINE + "test_after_three_crashes_one_sentence_says_that_the_plugin_is_not_started",
            QUARANTINE + "test_its_user_lets_a_quarantined_plugin_start_again",
            QUARANTINE + "test_a_new_version_is_not_held_responsible_for_the_old_one",
            CALLS + "test_a_crash_is_counted_once_however_many_calls_it_costs",
        ],
    ),
    30: (
        "With a host that is killed, its plugins and all they started are gone in two seconds.",
        [
            DEATH + "test_a_plugin_and_all_it_started_end_with_the_host",
            DEATH + "test_a_host_that_dies_while_a_plugin_starts_leaves_nothing",
            BOOTSTRAP + "test_a_keeper_that_no_signal_tells_sees_by_itself_that_its_host_is_gone",
            STOPPING + "test_a_killed_host_leaves_no_process_and_loses_nothing",
        ],
    ),
    31: (
        "Ctrl-C once cancels and keeps what came, twice kills; no program of a plugin hears it.",
        [
            STOPPING + "test_a_signal_ends_the_answer_and_keeps_what_arrived",
            STOPPING + "test_ctrl_c_on_a_terminal_stops_the_answer",
            STOPPING + "test_signals_while_a_plugin_that_has_answered_is_being_stopped",
            APART + "test_a_second_ctrl_c_kills_without_another_word",
            APART + "test_ctrl_c_reaches_no_program_that_a_plugin_has_started",
            MISBEHAVE + "test_killing_now_needs_no_wait_and_leaves_nothing",
        ],
    ),
    32: (
        "The end is short for who is idle and bounded for who wants a goodbye; nothing cuts a step short.",
        [
            MISBEHAVE + "test_an_idle_plugin_leaves_as_soon_as_it_is_asked",
            BREAK + "test_a_plugin_that_wants_a_goodbye_gets_one",
            MEETING + "test_a_plugin_that_never_says_goodbye_is_gone_after_the_last_step",
            "tests/children/test_ladder.py::test_a_cancel_during_the_ladder_does_not_cut_it_short",
            PROCESS + "test_each_step_of_the_ladder_ends_who_needs_it",
        ],
    ),
    33: (
        "A program that holds the output delays nothing; a plugin that closes it and lives is stopped.",
        [
            BREAK + "test_a_grandchild_that_holds_the_output_delays_nothing",
            BREAK + "test_a_plugin_that_closes_an_end_of_the_wire_and_lives_is_stopped",
            "tests/kernel/test_cell_wall.py::test_a_program_that_closes_its_output_and_lives_is_noticed",
            ZOO + "test_nothing_is_left_of_them",
        ],
    ),
    34: (
        "Endless messages on stderr are read, cut, thinned out, and block nobody.",
        [
            PROCESS + "test_an_endless_line_is_cut_into_pieces",
            PROCESS + "test_a_flood_is_thinned_out_and_the_file_says_so",
            MISBEHAVE + "test_a_flood_on_stderr_blocks_nobody",
            FLOODS + "test_a_flood_on_stderr_without_a_newline_costs_a_bounded_part",
        ],
    ),
    35: (
        "No order of folders, installations or answers changes what is found, offered and run.",
        [
            ORDER + "test_what_is_found_is_the_same_in_every_order",
            ORDER + "test_what_is_offered_and_by_whom_is_the_same_in_every_order",
            HOOKS + "test_implementations_run_tryfirst_then_as_written_then_trylast",
            CATALOGUE + "test_models_are_found_by_id_before_alias_and_by_the_users_choice",
        ],
    ),
    36: (
        "An implementation of a hook that fails has an outcome of its own beside the results of the others.",
        [
            APART + "test_a_hook_that_fails_costs_neither_its_plugins_others_nor_other_plugins",
            HOOKS + "test_one_failing_hook_does_not_stop_the_others",
        ],
    ),
    37: (
        "Errors cross with stable kinds, all of them on the page; no stack is shown unless asked for.",
        [
            KINDS + "test_every_kind_in_the_code_is_on_the_page_and_every_one_on_the_page_in_the_code",
            KINDS + "test_exit_codes_are_those_of_kinds_on_the_wire_and_stand_on_the_page",
            FAILURES + "test_a_failed_call_keeps_kind_hint_and_traceback",
            FAILURES + "test_a_plugin_is_told_the_kind_of_the_hosts_trouble",
            MODEL_ERRORS + "test_a_quota_says_when_to_try_again",
            MODEL_ERRORS + "test_the_traceback_is_for_debug_only",
        ],
    ),
    38: (
        "A missing key, a wrong model, a quota, a long prompt and a filter are told apart.",
        [
            MODEL_ERRORS + "test_each_error_class_has_its_kind_its_message_and_its_exit_code",
            MODEL_ERRORS + "test_every_error_class_of_the_sdk_was_tried",
        ],
    ),
    39: (
        "One kit runs the same tests on three transports; examples of a manifest are executed.",
        [
            TRANSPORTS + "test_an_answer_comes_with_all_that_belongs_to_it",
            KIT + "test_each_test_runs_on_each_transport_that_is_wanted",
            KIT + "test_what_was_recorded_is_played_without_the_plugin",
            KIT + "test_the_examples_of_a_manifest_are_tests",
            TRANSCRIPTS + "test_a_trace_of_the_host_is_a_transcript",
            "tests/cli/test_plugins_check.py::test_the_examples_of_a_manifest_are_checked_behind_the_wall",
        ],
    ),
    40: (
        "Every rule is checked or excluded with a reason, for plugins and hosts; messages fit the schema.",
        [
            RULES + "test_every_rule_is_checked_or_excluded_with_a_reason",
            RULES + "test_every_rule_is_tried_on_hosts_or_excluded_with_a_reason",
            RULES + "test_every_rule_has_a_test",
            RULES + "test_lines_of_the_transcript_fit_the_schema",
            "tests/kernel/conformance/test_host_conformance.py::test_this_kernel_keeps_to_the_protocol",
        ],
    ),
    41: (
        "Each plugin of the zoo has an outcome that its user reads.",
        [
            ZOO + "test_the_user_reads_what_happened_and_nobody_else_is_hurt",
            ZOO + "test_the_zoo_is_complete",
            ZOO + "test_no_command_is_broken_by_all_of_them_together",
        ],
    ),
    42: (
        "A trace holds both directions with times and sizes, and no key; it replays.",
        [
            TRACING + "test_a_key_never_stands_in_a_trace_whatever_the_plugin_does_with_it",
            TRACING + "test_a_trace_shows_a_prompt_from_the_start_of_the_process_to_its_end",
            TRACING + "test_a_recorded_conversation_of_an_older_version_still_goes_the_same_way",
            TRACE + "test_a_line_is_written_with_its_side_its_size_and_its_time",
            TRACE + "test_what_answers_keys_get_is_replaced_whatever_its_shape",
            TRANSCRIPTS + "test_a_transcript_is_replayed_by_the_host",
        ],
    ),
    43: (
        "One flag connects the host to a plugin that its author has started; deadlines are off.",
        [
            ATTACH + "test_a_plugin_that_its_author_has_started_answers_again_and_again",
            ATTACH + "test_no_deadline_counts",
            ATTACH + "test_a_debugger_stops_in_the_model_and_changes_what_it_answers",
            ATTACH + "test_any_program_that_listens_on_a_socket_can_be_attached",
            ATTACHED
            + "test_neither_the_start_nor_a_call_has_a_deadline_and_a_connection_leaves_nothing_open",
        ],
    ),
    44: (
        "An import error is told with file and line in every message about that plugin.",
        [
            IMPORTS + "test_an_import_error_is_told_with_file_and_line_every_time",
            IMPORTS
            + "test_a_plugin_that_never_worked_is_told_with_file_and_line_when_its_model_is_asked_for",
            LOOPS + "test_an_import_that_fails_is_told_in_full_every_time",
            MISBEHAVE + "test_an_error_at_import_names_its_file_and_line",
        ],
    ),
    45: (
        "A plugin sees the variables of a list and those it was granted, and no other.",
        [
            APART + "test_a_variable_is_seen_only_where_it_was_granted",
            BOOTSTRAP + "test_a_plugin_sees_an_environment_built_from_a_list_of_names",
        ],
    ),
    46: (
        "Changed code of a plugin that was granted something is reported before it runs.",
        [
            IMPORTS + "test_changed_code_is_reported_before_it_runs_where_something_was_granted",
            IMPORTS + "test_changed_code_runs_where_nothing_was_granted",
            "tests/kernel/grants/test_pins.py::test_every_kind_of_change_is_noticed",
        ],
    ),
}

MEASURED = {
    3: "what our bootstrap adds to an interpreter: the rows `wall-start` and `isolation`",
    10: "how long a line of 16 MiB takes: the tests count steps and bytes instead",
    24: "what a list adds to the start of the host: the rows `start-models` and `catalogue-read`",
    32: "what stopping an idle plugin adds to the end of a command: part of the row `prompt-echo`",
}
"""Statements with a time in them that no test asserts, and what stands for it."""
