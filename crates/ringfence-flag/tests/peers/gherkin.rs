//! As much of Gherkin as flagd's feature files use.

use std::collections::BTreeMap;

/// A scenario with an example's values in place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Step {
    pub(crate) text: String,
    pub(crate) table: Vec<Vec<String>>,
}

impl Step {
    /// What stands in quotes, with `\"` for a quote; what stands last may hold quotes of its own.
    pub(crate) fn words(&self) -> Vec<String> {
        let (text, last) = match self.text.split_once(" with value \"") {
            Some((text, last)) => (text, last.strip_suffix('"')),
            None => (self.text.as_str(), None),
        };
        let text = text.replace("\\\"", "\u{1}");
        let words = text.split('"').skip(1).step_by(2);
        let words = words.chain(last).map(|word| word.replace('\u{1}', "\""));
        words.collect()
    }
}

#[derive(Default)]
struct Outline {
    scenario: Scenario,
    examples: Vec<(Vec<String>, Vec<Vec<String>>)>,
}

pub(crate) fn scenarios(text: &str) -> Vec<Scenario> {
    let (mut outlines, mut tags, mut in_background) = (Vec::<Outline>::new(), Vec::new(), true);
    for line in text.lines().map(str::trim) {
        let (keyword, rest) = line.split_once(':').unwrap_or((line, ""));
        if line.starts_with('@') {
            tags.extend(line.split_whitespace().map(str::to_owned));
        } else if ["Feature", "Background"].contains(&keyword) {
            in_background = true;
            tags.clear();
        } else if ["Scenario", "Scenario Outline"].contains(&keyword) {
            in_background = false;
            let mut outline = Outline::default();
            outline.scenario.name = rest.trim().to_owned();
            outline.scenario.tags = std::mem::take(&mut tags);
            outlines.push(outline);
        } else if let Some(outline) = outlines.last_mut().filter(|_| !in_background) {
            add(outline, keyword, line, &mut tags);
        }
    }
    outlines.iter().flat_map(filled).collect()
}

fn add(outline: &mut Outline, keyword: &str, line: &str, tags: &mut Vec<String>) {
    if keyword == "Examples" {
        outline.examples.push((std::mem::take(tags), Vec::new()));
    } else if let Some(row) = line.strip_prefix('|') {
        let cells = row.trim_end_matches('|').split('|');
        let cells = cells.map(|cell| cell.trim().to_owned()).collect();
        match outline.examples.last_mut() {
            Some((_, rows)) => rows.push(cells),
            None => outline.scenario.steps.last_mut().unwrap().table.push(cells),
        }
    } else if ["Given ", "When ", "Then ", "And "]
        .iter()
        .any(|word| line.starts_with(word))
    {
        let text = line.to_owned();
        outline.scenario.steps.push(Step {
            text,
            table: Vec::new(),
        });
    }
}

fn filled(outline: &Outline) -> Vec<Scenario> {
    if outline.examples.is_empty() {
        return vec![outline.scenario.clone()];
    }
    let mut scenarios = Vec::new();
    for (tags, rows) in &outline.examples {
        let (names, rows) = rows.split_first().unwrap();
        for row in rows {
            let values: BTreeMap<String, &String> = names
                .iter()
                .map(|name| format!("<{name}>"))
                .zip(row)
                .collect();
            let mut scenario = outline.scenario.clone();
            scenario.tags.extend(tags.iter().cloned());
            for step in &mut scenario.steps {
                for (name, value) in &values {
                    step.text = step.text.replace(name, value);
                }
            }
            scenarios.push(scenario);
        }
    }
    scenarios
}
