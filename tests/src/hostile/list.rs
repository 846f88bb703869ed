/// Calls a macro with the name of every hostile component that is made here
/// (`components.rs`), so that none of them is without a test.
macro_rules! for_each_component {
    ($call:ident) => {
        $call! {
            /// Wants the network.
            imports_sockets
            /// Runs before it is asked to, and never ends.
            has_a_start_function
            /// Runs before it is asked to, and calls the host.
            calls_the_host_when_it_starts
            /// For a host that does not exist yet.
            is_for_a_future_contract
            /// Was never made into a component.
            is_a_core_module
            /// Did not arrive whole.
            is_truncated
            /// 100 MB of zeros behind a good beginning.
            is_a_100_mb_file
            /// Changes its tables.
            grows_tables
            /// Wants more of a table than there is from the start.
            wants_a_large_table
            /// Wants more memory than there is from the start.
            wants_a_large_memory
            /// Answers with half a gigabyte, all of it one page read again and
            /// again.
            answers_with_one_page_again_and_again
            /// Answers with a list that leaves its memory.
            answers_from_outside_its_memory
            /// Answers with text that is none.
            answers_in_no_utf8
            /// Answers with a variant that the contract does not have.
            answers_with_no_decision
            /// Gives the host no memory for its input.
            gives_the_host_memory_it_has_not
            /// Never gives the host the memory for its input.
            spins_in_realloc
            /// Answers, and goes on for ever.
            spins_after_its_answer
            /// Looks for what the request before left in its memory and its
            /// globals, and changes all of them.
            leaves_all_that_it_has_changed
            /// Declares more than a manifest can hold.
            declares_without_end
        }
    };
}
