//! The live template of an embedding: what it shares with degraded faces, and how much of that may count.

use arcdoor_core::limits::MAX_DIMENSION;
use arcdoor_core::{ModelId, Template, TemplateError};
use arcdoor_models::{RecognisabilityTable, SharedDirections};

use crate::recognisability::{Recognised, recognise};

/// The template of `embedding`, and how recognisable its face is, by the table of the embedder's pack. Where the table
/// names shared directions, the template has its projection onto them, so that what exceeds the allowance there counts
/// in no score; and a face that hardly shows clearly is allowed less.
///
/// # Errors
/// When the embedding is no template, or the directions are of another dimension or not finite.
pub fn live_template(
    model_id: ModelId,
    table: Option<&RecognisabilityTable>,
    embedding: &[f32],
) -> Result<(Template, Option<Recognised>), TemplateError> {
    let template = Template::new(model_id, embedding)?;
    let Some(table) = table else { return Ok((template, None)) };
    let recognised = recognise(table, embedding);
    let template = match &table.shared {
        Some(shared) => with_shared(template, shared, shared.allowed(recognised.exact))?,
        None => template,
    };
    Ok((template, Some(recognised)))
}

fn with_shared(
    template: Template,
    shared: &SharedDirections,
    allowance: f32,
) -> Result<Template, TemplateError> {
    let mut part = [0.0_f32; MAX_DIMENSION];
    let part = &mut part[..template.values().len()];
    for direction in &shared.directions {
        let along: f32 = direction.iter().zip(template.values()).map(|(a, b)| a * b).sum();
        part.iter_mut().zip(direction).for_each(|(sum, value)| *sum += along * value);
    }
    template.with_shared(part, allowance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::RetryReason;
    use arcdoor_models::{Doubt, RecognisabilityHead};

    fn table(doubt: Option<Doubt>) -> RecognisabilityTable {
        let directions = vec![vec![0.6, 0.8, 0.0, 0.0], vec![0.0, 0.0, 0.0, 1.0]];
        let head = RecognisabilityHead {
            name: "length".to_owned(),
            advice: RetryReason::NotClear,
            bias: 0.0,
            norm: 10.0,
            direction: vec![0.0; 4],
        };
        let shared = SharedDirections { allowance: 0.25, doubt, directions };
        RecognisabilityTable { data: "none".to_owned(), heads: vec![head], shared: Some(shared) }
    }

    fn live(table: &RecognisabilityTable, embedding: &[f32]) -> (Template, Option<Recognised>) {
        live_template(ModelId::new([1; 16]), Some(table), embedding).unwrap()
    }

    #[test]
    fn the_part_is_the_projection_onto_the_directions() {
        let (template, recognised) = live(&table(None), &[2.0, 1.0, -2.0, 4.0]);
        let part = template.shared().unwrap();
        for (value, expected) in part.values().iter().zip([0.24, 0.32, 0.0, 0.8]) {
            assert!((value - expected).abs() < 1e-6, "{part:?}: {value} for {expected}");
        }
        assert_eq!((template.allowance(), recognised.unwrap().value), (Some(0.25), 50));
    }

    #[test]
    fn a_face_that_hardly_shows_clearly_is_allowed_less() {
        let doubtful = table(Some(Doubt { below: 60.0, allowance: -0.15 }));
        let allowed = |length: f32| live(&doubtful, &[length, 0.0, 0.0, 0.0]).0.allowance().unwrap();
        // Recognisability is ten times the length.
        for (length, expected) in [(9.0, 0.25), (6.0, 0.25), (4.0, 0.05), (2.0, -0.15), (1.0, -0.15)] {
            assert!((allowed(length) - expected).abs() < 1e-6, "{length}: {}", allowed(length));
        }
    }

    #[test]
    fn a_doubt_ends_where_recognitions_gate_does() {
        let gate = crate::QualityGate::recognise().least.recognisability;
        assert_eq!(gate.map(f32::from), Some(arcdoor_models::RECOGNITION_GATE));
    }

    #[test]
    fn without_a_table_a_template_shares_nothing() {
        let (template, recognised) = live_template(ModelId::new([1; 16]), None, &[1.0]).unwrap();
        assert!(template.shared().is_none() && recognised.is_none());
    }
}
