//! How many different values there are: exact for a few, an estimate for many, as the service says of its own.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use cardinality_estimator::CardinalityEstimator;

use super::super::value::Value;

/// Up to this number of values the count is exact.
const EXACT: usize = 16_384;

/// The values so far, as hashes.
#[derive(Debug, Clone)]
pub(in crate::insights) struct Distinct {
    hasher: RandomState,
    values: HashSet<u64>,
    estimator: Option<CardinalityEstimator<u64>>,
}

impl Default for Distinct {
    fn default() -> Self {
        Distinct { hasher: RandomState::new(), values: HashSet::new(), estimator: None }
    }
}

impl Distinct {
    pub(super) fn add(&mut self, value: &Value<'_>) {
        let hash = self.hasher.hash_one(value.text());
        if let Some(estimator) = &mut self.estimator {
            estimator.insert(&hash);
        } else {
            self.values.insert(hash);
            if self.values.len() > EXACT {
                let mut estimator = CardinalityEstimator::new();
                std::mem::take(&mut self.values).iter().for_each(|hash| estimator.insert(hash));
                self.estimator = Some(estimator);
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.estimator.as_ref().map_or(self.values.len(), CardinalityEstimator::estimate) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{Distinct, EXACT};
    use crate::insights::value::Value;

    fn count(values: usize) -> u64 {
        let mut distinct = Distinct::default();
        for n in (0..values).chain(0..values / 2) {
            distinct.add(&Value::owned_text(n.to_string()));
        }
        distinct.count()
    }

    #[test]
    fn exact_for_a_few_and_close_for_many() {
        assert_eq!(count(0), 0);
        assert_eq!(count(1000), 1000);
        assert_eq!(count(EXACT), EXACT as u64);
        let estimate = count(200_000);
        assert!((190_000..210_000).contains(&estimate), "{estimate}");
    }
}
