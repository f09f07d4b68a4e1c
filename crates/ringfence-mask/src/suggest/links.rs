//! Links that a schema does not declare, from names of columns and the words in them.
//!
//! Two habits are known: a word beside the key, as Rails has it (`subject_type` and `subject_id`), and a row of a table of kinds, as Django
//! has it (`content_type_id` and `object_id`). Which table a word means is told from the table's name: `BlogPost` is a row of `blog_posts`.

use crate::rule::{Link, When};
use crate::schema::{Kind, Table};

/// Columns that look as if they pointed to several tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The table.
    pub table: String,
    /// The column that points.
    pub column: String,
    /// The column that says where.
    pub kind: String,
    /// The table that lists the kinds, where they are rows of one.
    pub kinds: Option<String>,
}

/// The columns of a table that look like links.
#[must_use]
pub fn candidates(table: &Table) -> Vec<Candidate> {
    let points = |name: &str| {
        let mut keys = table.foreign_keys.iter();
        keys.find(|key| key.columns.iter().any(|own| own == name))
    };
    let mut found = Vec::new();
    for column in &table.columns {
        let kinds = points(&column.name).map(|key| key.parent.clone());
        let beside = match &kinds {
            Some(parent) if base(parent) == "django_content_type" => {
                beside_content_type(&column.name)
            }
            Some(_) => continue,
            None => match column.kind {
                Kind::Text { .. } | Kind::Enumeration => beside_word(&column.name),
                _ => continue,
            },
        };
        let key = beside.into_iter().find(|name| {
            let key = table.column(name);
            key.is_some_and(|key| is_key(&key.kind)) && points(name).is_none()
        });
        if let Some(key) = key {
            found.push(Candidate {
                table: table.name.clone(),
                column: key,
                kind: column.name.clone(),
                kinds,
            });
        }
    }
    found
}

fn is_key(kind: &Kind) -> bool {
    matches!(kind, Kind::Integer(_) | Kind::Uuid | Kind::Text { .. })
}

fn beside_word(name: &str) -> Vec<String> {
    let stem = name
        .strip_suffix("_type")
        .or_else(|| name.strip_suffix("_kind"));
    let stem = stem.map(|stem| format!("{stem}_id"));
    stem.into_iter().collect()
}

fn beside_content_type(name: &str) -> Vec<String> {
    let stem = name
        .strip_suffix("content_type_id")
        .or_else(|| name.strip_suffix("content_type"));
    let Some(stem) = stem else { return Vec::new() };
    ["object_id", "object_pk", "object_uuid"]
        .map(|end| format!("{stem}{end}"))
        .to_vec()
}

/// The link of a candidate for rows whose kind is `value`, if the word that it stands for means a table that can be pointed to.
#[must_use]
pub fn link(candidate: &Candidate, value: &str, word: &str, tables: &[Table]) -> Option<Link> {
    let parent = table_of(word, tables)?;
    (parent.primary_key.len() == 1).then(|| Link {
        columns: vec![candidate.column.clone()],
        parent: parent.name.clone(),
        referenced: Vec::new(),
        when: Some(When {
            column: candidate.kind.clone(),
            value: value.to_owned(),
        }),
    })
}

/// The table whose rows a word means.
fn table_of<'a>(word: &str, tables: &'a [Table]) -> Option<&'a Table> {
    let whole = snake(word);
    let last = snake(
        word.rsplit("::")
            .next()
            .unwrap_or(word)
            .rsplit(['.', '\\'])
            .next()?,
    );
    let names = [&whole, &last].map(|name| [name.clone(), plural(name)]);
    let mut names = names.iter().flatten();
    names.find_map(|name| tables.iter().find(|table| base(&table.name) == name))
}

/// A table's name without its schema.
fn base(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// `Blog::PostTag` is `blog_post_tag`.
fn snake(word: &str) -> String {
    let mut text = String::new();
    let mut was_small = false;
    for c in word.chars() {
        if !c.is_alphanumeric() {
            if !text.ends_with('_') {
                text.push('_');
            }
            was_small = false;
            continue;
        }
        if c.is_uppercase() && was_small {
            text.push('_');
        }
        was_small = !c.is_uppercase();
        text.extend(c.to_lowercase());
    }
    text
}

/// As English has it, the few irregular ones that tables are named after included.
fn plural(name: &str) -> String {
    for (one, many) in [("person", "people"), ("child", "children"), ("man", "men")] {
        if let Some(stem) = name.strip_suffix(one) {
            return format!("{stem}{many}");
        }
    }
    if let Some(stem) = name.strip_suffix('y')
        && !stem.ends_with(['a', 'e', 'i', 'o', 'u'])
    {
        return format!("{stem}ies");
    }
    match ["s", "x", "z", "ch", "sh"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        true => format!("{name}es"),
        false => format!("{name}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Column, ForeignKey};

    const KEY: Kind = Kind::Integer(64);

    fn table(name: &str, columns: &[(&str, Kind)]) -> Table {
        let columns = columns
            .iter()
            .map(|(name, kind)| Column::new(name, kind.clone()));
        Table {
            name: name.to_owned(),
            columns: columns.collect(),
            primary_key: vec!["id".to_owned()],
            ..Table::default()
        }
    }

    #[test]
    fn words_mean_tables() {
        let names = ["blog_posts", "people", "categories", "audit.boxes", "User"];
        let tables = names.map(|name| table(name, &[]));
        let found = |word| table_of(word, &tables).map(|table| table.name.as_str());
        assert_eq!(found("BlogPost"), Some("blog_posts"));
        assert_eq!(found("Blog::Post"), Some("blog_posts"));
        assert_eq!(found("Admin::Person"), Some("people"));
        assert_eq!(found("App\\Models\\Category"), Some("categories"));
        assert_eq!(found("box"), Some("audit.boxes"));
        assert_eq!(found("Video"), None);
        assert_eq!(found("canary@customers.example"), None);
    }

    #[test]
    fn pairs_of_columns_are_candidates() {
        let rails = [
            ("subject_type", Kind::TEXT),
            ("subject_id", KEY),
            ("mime_type", Kind::TEXT),
        ];
        let rails = table("comments", &rails);
        let found = candidates(&rails);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].column.as_str(), found[0].kind.as_str()),
            ("subject_id", "subject_type")
        );
        let tables = [table("posts", &[("id", KEY)])];
        let made = link(&found[0], "Post", "Post", &tables).unwrap();
        assert_eq!(
            made.to_string(),
            "subject_id to posts when subject_type is Post"
        );

        let mut django = table(
            "taggit",
            &[("content_type_id", KEY), ("object_id", Kind::TEXT)],
        );
        assert_eq!(candidates(&django), []);
        django.foreign_keys.push(ForeignKey {
            columns: vec!["content_type_id".to_owned()],
            parent: "django_content_type".to_owned(),
            referenced: vec!["id".to_owned()],
            deferrable: true,
        });
        let found = candidates(&django);
        assert_eq!(found[0].kinds.as_deref(), Some("django_content_type"));
        let made = link(&found[0], "7", "post", &tables).unwrap();
        assert_eq!(
            made.to_string(),
            "object_id to posts when content_type_id is 7"
        );

        // What the schema declares is no candidate.
        let mut declared = rails;
        declared.foreign_keys.push(ForeignKey {
            columns: vec!["subject_id".to_owned()],
            parent: "posts".to_owned(),
            referenced: vec!["id".to_owned()],
            deferrable: false,
        });
        assert_eq!(candidates(&declared), []);
    }
}
