use super::{PolicyCounts, RouteCounts, Tally, lock, read};
use barmkin_host::Untried;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType::{Counter, Gauge, Histogram};
use std::fmt;
use std::sync::atomic::Ordering;

impl Collector for Tally {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_routes(&mut encoder)?;
        self.encode_policies(&mut encoder)?;
        let help = "What came of deliveries, by nonce space: used; free again (refused, failed, unknown); repeated \
                    (duplicate, in-progress)";
        let mut deliveries = encoder.encode_descriptor("barmkin_deliveries", help, None, Counter)?;
        self.deliveries.each(|space, outcomes| {
            outcomes.each(|outcome, seen| count(&mut deliveries, &[("space", space), ("outcome", outcome)], read(seen)))
        })?;
        let help = "Effects of denied requests that could not be given back and stay used";
        let mut undo_lost = encoder.encode_descriptor("barmkin_undo_lost", help, None, Counter)?;
        undo_lost.encode_counter::<NoLabelSet, _, u64>(&read(&self.undo_lost), None)?;
        let help = "Kept samples of decisions that were not enforced and would have changed a verdict";
        let samples = u64::try_from(lock(&self.differences).len()).unwrap_or(u64::MAX);
        encoder.encode_descriptor("barmkin_difference_samples", help, None, Gauge)?.encode_gauge(&samples)
    }
}

impl Tally {
    fn encode_routes(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Verdicts by route; for a deny also by policy and reason. Observing routes allow everything";
        let mut verdicts = encoder.encode_descriptor("barmkin_verdicts", help, None, Counter)?;
        self.routes.each(|route, counts: &RouteCounts| {
            let labels = [("route", route), ("verdict", "allow"), ("policy", ""), ("reason", "")];
            count(&mut verdicts, &labels, read(&counts.allowed))?;
            counts.denied.each(|policy, reasons| {
                reasons.each(|reason, denied| {
                    let labels = [("route", route), ("verdict", "deny"), ("policy", policy), ("reason", reason)];
                    count(&mut verdicts, &labels, read(denied))
                })
            })
        })?;
        let help = "Denies that observing routes did not enforce";
        let mut observed = encoder.encode_descriptor("barmkin_observed_denies", help, None, Counter)?;
        self.routes.each(|route, counts| count(&mut observed, &[("route", route)], read(&counts.observed)))?;
        let help = "From a request's header (and body, where the chain needs it) to its verdict, in seconds";
        let mut took = encoder.encode_descriptor("barmkin_verdict_seconds", help, None, Histogram)?;
        self.routes.each(|route, counts| {
            let (sum, total, buckets) = counts.latency.read();
            took.encode_family(&[("route", route)])?.encode_histogram::<NoLabelSet>(sum, total, &buckets, None)
        })
    }

    fn encode_policies(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Decisions of policies that did not fail";
        let mut decisions = encoder.encode_descriptor("barmkin_policy_decisions", help, None, Counter)?;
        self.policies.each(|policy, counts: &PolicyCounts| {
            let of = [("allow", &counts.allowed), ("abstain", &counts.abstained), ("deny", &counts.denied)];
            of.into_iter().try_for_each(|(decision, decided)| {
                count(&mut decisions, &[("policy", policy), ("decision", decision)], read(decided))
            })
        })?;
        let help = "Failures of policies, by the host's reason: traps, deadlines, memory, the store";
        let mut failures = encoder.encode_descriptor("barmkin_policy_failures", help, None, Counter)?;
        self.policies.each(|policy, counts| {
            counts
                .failed
                .each(|reason, failed| count(&mut failures, &[("policy", policy), ("reason", reason)], read(failed)))
        })?;
        let help = "1 while a policy is quarantined because it kept missing its deadline";
        let mut quarantined = encoder.encode_descriptor("barmkin_policy_quarantined", help, None, Gauge)?;
        self.policies.each(|policy, counts| {
            let is_quarantined = u64::from(counts.quarantined.load(Ordering::Relaxed));
            quarantined.encode_family(&[("policy", policy)])?.encode_gauge(&is_quarantined)
        })?;
        let help = "Decisions of shadow policies, by whether the verdict is the same with them";
        let mut shadows = encoder.encode_descriptor("barmkin_shadow_decisions", help, None, Counter)?;
        self.policies.each(|policy, counts| {
            let of = [("true", &counts.shadow_agreed), ("false", &counts.shadow_differed)];
            let ran = of.iter().any(|(_, decided)| read(decided) > 0);
            of.into_iter().filter(|_| ran).try_for_each(|(agrees, decided)| {
                count(&mut shadows, &[("policy", policy), ("agrees", agrees)], read(decided))
            })
        })?;
        let help = "Requests on which a shadow policy was not asked";
        let mut untried = encoder.encode_descriptor("barmkin_shadow_untried", help, None, Counter)?;
        self.policies.each(|policy, counts| {
            let of = [(Untried::NoBody, &counts.untried_no_body), (Untried::NoRoom, &counts.untried_no_room)];
            of.into_iter().filter(|(_, requests)| read(requests) > 0).try_for_each(|(why, requests)| {
                count(&mut untried, &[("policy", policy), ("why", why.as_str())], read(requests))
            })
        })?;
        let help = "Log lines that were dropped because their policy logs too much";
        let mut dropped = encoder.encode_descriptor("barmkin_log_lines_dropped", help, None, Counter)?;
        self.policies.each(|policy, counts| count(&mut dropped, &[("policy", policy)], read(&counts.lines_dropped)))
    }
}

fn count(metric: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
    metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
}
