//! The metrics in the text format of Prometheus, version 0.0.4: for programs that do not ask for `OpenMetrics`. Source: "Exposition
//! formats" of the Prometheus documentation.

use std::collections::HashMap;

/// What `OpenMetrics` calls a family, and what its samples are called there.
const SUFFIXES: [(&str, &str); 2] = [("counter", "_total"), ("info", "_info")];

/// Types that 0.0.4 does not know, and what they are there.
const TYPES: [(&str, &str); 2] = [("info", "gauge"), ("unknown", "untyped")];

/// Writes `OpenMetrics` text as 0.0.4 has it: a family is named as its samples are, and there are neither units nor an end.
pub(crate) fn plain_text(open_metrics: &str) -> String {
    let types: HashMap<&str, &str> = open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        match line.strip_prefix("# ") {
            None => text.push_str(line),
            Some(about) => {
                let Some((what @ ("HELP" | "TYPE"), Some((name, rest)))) =
                    about.split_once(' ').map(|(what, rest)| (what, rest.split_once(' ')))
                else {
                    continue;
                };
                let of = |table: [(&'static str, &'static str); 2], key: &str| table.into_iter().find(|(known, _)| *known == key);
                let suffix = of(SUFFIXES, types.get(name).copied().unwrap_or_default()).map_or("", |(_, suffix)| suffix);
                let rest = if what == "TYPE" { of(TYPES, rest).map_or(rest, |(_, kind)| kind) } else { rest };
                text.extend(["# ", what, " ", name, suffix, " ", rest]);
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_named_as_their_samples_and_nothing_is_left_of_units_and_the_end() {
        let open = "# HELP a_logins Logins.\n# TYPE a_logins counter\na_logins_total{outcome=\"# ok\"} 3\n# HELP a_build Program.\n\
                    # TYPE a_build info\na_build_info{version=\"1\"} 1\n# HELP a_wait_seconds Waits.\n# TYPE a_wait_seconds histogram\n\
                    # UNIT a_wait_seconds seconds\na_wait_seconds_sum 0.5\n# EOF\n";
        let plain = "# HELP a_logins_total Logins.\n# TYPE a_logins_total counter\na_logins_total{outcome=\"# ok\"} 3\n\
                     # HELP a_build_info Program.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
                     # HELP a_wait_seconds Waits.\n# TYPE a_wait_seconds histogram\na_wait_seconds_sum 0.5\n";
        assert_eq!(plain_text(open), plain);
    }
}
