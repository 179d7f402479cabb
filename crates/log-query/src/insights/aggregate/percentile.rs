//! Percentiles: exact for a few values, within 0.2% of the value for many.

use sketches_ddsketch::{Config, DDSketch};

/// Up to this number of values percentiles are exact.
const EXACT: usize = 8192;

/// How far an estimate may be from the value, in proportion to it.
const ACCURACY: f64 = 0.002;

/// The values so far.
#[derive(Clone, Default)]
pub(in crate::insights) struct Percentile {
    values: Vec<f64>,
    sketch: Option<Box<DDSketch>>,
}

impl Percentile {
    pub(super) fn add(&mut self, number: f64) {
        if let Some(sketch) = &mut self.sketch {
            sketch.add(number);
            return;
        }
        self.values.push(number);
        if self.values.len() > EXACT {
            let mut sketch = DDSketch::new(Config::new(ACCURACY, 32_768, 1e-9));
            std::mem::take(&mut self.values).into_iter().for_each(|number| sketch.add(number));
            self.sketch = Some(Box::new(sketch));
        }
    }

    /// The value that `percent` of the values are lower than; between two values, the part of the way.
    pub(super) fn at(&self, percent: f64) -> Option<f64> {
        if let Some(sketch) = &self.sketch {
            return sketch.quantile(percent / 100.0).ok().flatten();
        }
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        #[expect(clippy::cast_precision_loss, reason = "there are few values")]
        let place = percent / 100.0 * sorted.len().checked_sub(1)? as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies among the values"
        )]
        let below = place.floor() as usize;
        let (low, high) = (sorted.get(below)?, sorted.get(below + 1).or(sorted.get(below))?);
        Some(low + (high - low) * place.fract())
    }
}

#[cfg(test)]
mod tests {
    use super::Percentile;

    fn of(values: impl IntoIterator<Item = u32>) -> Percentile {
        let mut percentile = Percentile::default();
        values.into_iter().for_each(|value| percentile.add(f64::from(value)));
        percentile
    }

    #[test]
    fn exact_for_a_few_and_close_for_many() {
        assert_eq!(of([]).at(50.0), None);
        assert_eq!(of([7]).at(99.0), Some(7.0));
        assert_eq!(of([4, 1, 3, 2]).at(50.0), Some(2.5));
        assert_eq!(of(0..=100).at(95.0), Some(95.0));
        assert_eq!(of(0..=100).at(100.0), Some(100.0));
        for percent in [1.0, 50.0, 95.0, 99.9] {
            let estimate = of(0..100_000).at(percent).unwrap();
            let exact = percent * 1000.0;
            assert!((estimate - exact).abs() <= exact * 0.003 + 1.0, "{percent}: {estimate}");
        }
    }
}
