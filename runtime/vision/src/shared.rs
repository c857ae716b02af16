//! The part of a template that degraded faces share.

use arcdoor_core::limits::MAX_DIMENSION;
use arcdoor_core::{Template, TemplateError};
use arcdoor_models::SharedDirections;

/// `template` with its projection onto the directions of its embedder's pack, so that what exceeds the allowance there
/// counts in no score.
///
/// # Errors
/// When the directions are of another dimension or not finite.
pub fn with_shared(template: Template, shared: &SharedDirections) -> Result<Template, TemplateError> {
    let mut part = [0.0_f32; MAX_DIMENSION];
    let part = &mut part[..template.values().len()];
    for direction in &shared.directions {
        let along: f32 = direction.iter().zip(template.values()).map(|(a, b)| a * b).sum();
        part.iter_mut().zip(direction).for_each(|(sum, value)| *sum += along * value);
    }
    template.with_shared(part, shared.allowance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::ModelId;

    #[test]
    fn the_part_is_the_projection_onto_the_directions() {
        let template = Template::new(ModelId::new([1; 16]), &[2.0, 1.0, -2.0, 4.0]).unwrap();
        let directions = vec![vec![0.6, 0.8, 0.0, 0.0], vec![0.0, 0.0, 0.0, 1.0]];
        let shared = SharedDirections { allowance: 0.25, directions };
        let template = with_shared(template, &shared).unwrap();
        let part = template.shared().unwrap();
        for (value, expected) in part.values().iter().zip([0.24, 0.32, 0.0, 0.8]) {
            assert!((value - expected).abs() < 1e-6, "{part:?}: {value} for {expected}");
        }
        assert_eq!(part.allowance(), 0.25);
    }
}
