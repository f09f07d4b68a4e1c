//! What of a point a column of its table is.

use serde_json::{Value as Json, json};

/// What of a point a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Its number, or its UUID.
    Id,
    /// Its vector; the name is empty where it has only one.
    Vector(&'a str),
    /// A field of its payload.
    Field(&'a str),
}

impl<'a> Part<'a> {
    /// What a column's name means.
    pub(crate) fn read(column: &'a str) -> Self {
        match column {
            "id" => Self::Id,
            "vector" => Self::Vector(""),
            _ => match (
                column.strip_prefix("vector."),
                column.strip_prefix("payload."),
            ) {
                (Some(name), _) => Self::Vector(name),
                (_, Some(name)) => Self::Field(name),
                _ => Self::Field(column),
            },
        }
    }

    /// The column's name.
    pub(crate) fn column(self) -> String {
        match self {
            Self::Id => "id".to_owned(),
            Self::Vector("") => "vector".to_owned(),
            Self::Vector(name) => format!("vector.{name}"),
            Self::Field(name) if Self::read(name) == self => name.to_owned(),
            Self::Field(name) => format!("payload.{name}"),
        }
    }
}

/// The names of a collection's vectors, an empty one where it has only one.
pub(crate) fn vectors(info: &Json) -> Vec<String> {
    let named = |path: &str| {
        let found = info.pointer(path).and_then(Json::as_object);
        let names = found.into_iter().flat_map(|found| found.keys().cloned());
        names.collect::<Vec<String>>()
    };
    let mut names = match info.pointer("/config/params/vectors/size") {
        Some(size) if size.is_number() => vec![String::new()],
        _ => named("/config/params/vectors"),
    };
    names.extend(named("/config/params/sparse_vectors"));
    names
}

/// A point's id, from its text.
pub(crate) fn id(text: &str) -> Json {
    text.parse::<u64>()
        .map_or_else(|_| json!(text), |number| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_parts_of_a_point() {
        let parts = [
            ("id", Part::Id),
            ("vector", Part::Vector("")),
            ("vector.image", Part::Vector("image")),
            ("title", Part::Field("title")),
            ("payload.id", Part::Field("id")),
            ("payload.vector.image", Part::Field("vector.image")),
            ("payload.payload.x", Part::Field("payload.x")),
        ];
        for (column, part) in parts {
            assert_eq!(Part::read(column), part);
            assert_eq!(part.column(), column);
        }
    }
}
