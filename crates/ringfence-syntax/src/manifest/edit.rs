//! Small changes of a manifest's text that leave everything else of it as it is, comments and order included.

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, TomlError, Value, value};

/// Why a manifest was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is no TOML.
    #[error("the manifest is no valid TOML")]
    Syntax,
    /// Something stands where a table or list is expected.
    #[error("`{0}` is not what it should be")]
    Shape(String),
}

impl From<TomlError> for EditError {
    fn from(_: TomlError) -> Self {
        Self::Syntax
    }
}

/// A right under `[access]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// `read-secret`: to open the environment's secrets.
    ReadSecret,
    /// `edit`: to seal them.
    Edit,
}

impl Right {
    /// Its key in the manifest.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::ReadSecret => "read-secret",
            Self::Edit => "edit",
        }
    }
}

/// A manifest that is being changed.
pub struct Edited(DocumentMut);

impl Edited {
    /// Reads a manifest's text.
    ///
    /// # Errors
    /// Where it is no TOML.
    pub fn parse(text: &str) -> Result<Self, EditError> {
        Ok(Self(text.parse()?))
    }

    /// Adds a public key to somebody under `[people]`. One that is there already stays there once, whatever its comment.
    ///
    /// # Errors
    /// Where `[people]` is something else.
    pub fn add_key(&mut self, person: &str, key: &str) -> Result<(), EditError> {
        let people = table(self.0.as_table_mut(), "people", false)?;
        let shape = || EditError::Shape(format!("people.{person}"));
        let Some(item) = people.get_mut(person) else {
            people.insert(person, value(key));
            return Ok(());
        };
        let is_it = |own: &str| {
            own.split_whitespace()
                .take(2)
                .eq(key.split_whitespace().take(2))
        };
        let own = item.as_array().into_iter().flatten().chain(item.as_value());
        if own.filter_map(Value::as_str).any(is_it) {
            return Ok(());
        }
        if let Some(Value::String(one)) = item.as_value() {
            let mut keys = Value::from_iter([one.value().as_str(), key]);
            keys.decor_mut().clone_from(one.decor());
            *item = Item::Value(keys);
            return Ok(());
        }
        item.as_array_mut().ok_or_else(shape)?.push(key);
        Ok(())
    }

    /// Gives somebody a right in an environment. Whoever is named already stays named once.
    ///
    /// # Errors
    /// Where `[access]` is something else.
    pub fn give(&mut self, environment: &str, right: Right, person: &str) -> Result<(), EditError> {
        let access = table(self.0.as_table_mut(), "access", false)?;
        let own = table(access, environment, true)?;
        let item = own
            .entry(right.key())
            .or_insert_with(|| value(Array::new()));
        let names = item
            .as_array_mut()
            .ok_or_else(|| EditError::Shape(format!("access.{environment}.{}", right.key())))?;
        if !names.iter().any(|name| name.as_str() == Some(person)) {
            names.push(person);
        }
        Ok(())
    }

    /// Takes a right away; says whether the name stood there itself, and not only as one of a group.
    pub fn take(&mut self, environment: &str, right: Right, person: &str) -> bool {
        let names = self
            .0
            .get_mut("access")
            .and_then(Item::as_table_like_mut)
            .and_then(|access| access.get_mut(environment)?.as_table_like_mut())
            .and_then(|own| own.get_mut(right.key())?.as_array_mut());
        let Some(names) = names else {
            return false;
        };
        let before = names.len();
        names.retain(|name| name.as_str() != Some(person));
        names.len() != before
    }

    /// Says what becomes of a column in a sample, with a comment behind it; what is said already stays. Says whether it was added.
    ///
    /// # Errors
    /// Where something else stands in the place of one of the tables.
    pub fn mask(
        &mut self,
        resource: &str,
        (table_name, column): (&str, &str),
        (rule, comment): (&str, &str),
    ) -> Result<bool, EditError> {
        let mut place: &mut dyn TableLike = self.0.as_table_mut();
        for name in ["resources", resource, "tables", table_name] {
            place = implied(place, name)?;
        }
        // A comment would end what is written between braces.
        let is_inline = place.get("columns").is_some_and(Item::is_inline_table);
        let columns = implied(place, "columns")?;
        if columns.contains_key(column) {
            return Ok(false);
        }
        let mut written = Value::from(rule);
        if !is_inline {
            written.decor_mut().set_suffix(format!("  # {comment}"));
        }
        columns.insert(column, Item::Value(written));
        Ok(true)
    }

    /// Says that rows of a table point to others in a way that its schema does not declare; what is said already stays. Says whether
    /// it was added.
    ///
    /// # Errors
    /// Where something else stands in the place of one of the tables, or of the list.
    pub fn link(
        &mut self,
        resource: &str,
        table_name: &str,
        link: &str,
    ) -> Result<bool, EditError> {
        let mut place: &mut dyn TableLike = self.0.as_table_mut();
        for name in ["resources", resource, "tables", table_name] {
            place = implied(place, name)?;
        }
        let links = place
            .entry("links")
            .or_insert_with(|| value(Array::new()))
            .as_array_mut()
            .ok_or_else(|| EditError::Shape("links".to_owned()))?;
        if links.iter().any(|own| own.as_str() == Some(link)) {
            return Ok(false);
        }
        links.push(link);
        Ok(true)
    }

    /// The changed text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

fn table<'a>(
    parent: &'a mut dyn TableLike,
    name: &str,
    dotted: bool,
) -> Result<&'a mut dyn TableLike, EditError> {
    let new = || {
        let mut table = Table::new();
        table.set_dotted(dotted);
        Item::Table(table)
    };
    parent
        .entry(name)
        .or_insert_with(new)
        .as_table_like_mut()
        .ok_or_else(|| EditError::Shape(name.to_owned()))
}

/// A table whose own head need not be written.
fn implied<'a>(
    parent: &'a mut dyn TableLike,
    name: &str,
) -> Result<&'a mut dyn TableLike, EditError> {
    let new = || {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    parent
        .entry(name)
        .or_insert_with(new)
        .as_table_like_mut()
        .ok_or_else(|| EditError::Shape(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, change: impl Fn(&mut Edited), expected: &str) {
        let mut edited = Edited::parse(before).unwrap();
        change(&mut edited);
        assert_eq!(edited.text(), expected);
    }

    #[test]
    fn masks_are_added_and_what_is_said_stays() {
        check(
            "[resources.db]\nsetting = \"A\" # its address\n\n[resources.db.tables.users]\ncolumns = { id = \"keep\" }\n",
            |edited| {
                let mut mask = |table, column| {
                    edited
                        .mask("db", (table, column), ("email", "likely"))
                        .unwrap()
                };
                assert!(!mask("users", "id"));
                assert!(mask("users", "mail"));
                assert!(mask("orders", "to") && !mask("orders", "to"));
            },
            "[resources.db]\nsetting = \"A\" # its address\n\n[resources.db.tables.users]\ncolumns = { id = \"keep\" , mail = \"email\" }\n\n[resources.db.tables.orders.columns]\nto = \"email\"  # likely\n",
        );
    }

    #[test]
    fn links_are_added_once() {
        check(
            "[resources.db.tables.notes]\nrows = \"all\" # every one\n\n[resources.db.tables.notes.columns]\nid = \"keep\"\n",
            |edited| {
                let mut link = |table, link| edited.link("db", table, link).unwrap();
                assert!(link("notes", "a to b") && !link("notes", "a to b"));
                assert!(link("notes", "a to c"));
            },
            "[resources.db.tables.notes]\nrows = \"all\" # every one\nlinks = [\"a to b\", \"a to c\"]\n\n[resources.db.tables.notes.columns]\nid = \"keep\"\n",
        );
    }

    #[test]
    fn people_and_rights_are_added_and_the_rest_stays() {
        check(
            "version = 1 # one\n",
            |edited| {
                edited.add_key("ana", "age1x").unwrap();
                edited.give("prod", Right::ReadSecret, "ana").unwrap();
                edited.give("prod", Right::ReadSecret, "ana").unwrap();
                edited.give("prod", Right::Edit, "ana").unwrap();
            },
            "version = 1 # one\n\n[people]\nana = \"age1x\"\n\n[access]\nprod.read-secret = [\"ana\"]\nprod.edit = [\"ana\"]\n",
        );
        check(
            "[people]\nana = \"a\" # hers\n\n[access] # who\nprod.read-secret = [\"ana\", \"ci\"]\n",
            |edited| {
                edited.add_key("ana", "b").unwrap();
                edited.add_key("ana", "b").unwrap();
                assert!(edited.take("prod", Right::ReadSecret, "ci"));
                assert!(!edited.take("prod", Right::ReadSecret, "eva"));
                assert!(!edited.take("dev", Right::Edit, "ana"));
            },
            "[people]\nana = [\"a\", \"b\"] # hers\n\n[access] # who\nprod.read-secret = [\"ana\"]\n",
        );
        check(
            "[people]\nana = \"ssh-ed25519 AAAA\"\n",
            |edited| {
                edited
                    .add_key("ana", "ssh-ed25519 AAAA ana@laptop")
                    .unwrap();
            },
            "[people]\nana = \"ssh-ed25519 AAAA\"\n",
        );
        let mut edited = Edited::parse("people = 1\naccess = 1").unwrap();
        assert!(edited.add_key("ana", "a").is_err());
        assert!(edited.give("prod", Right::Edit, "ana").is_err());
        assert!(Edited::parse("= 1").is_err());
    }
}
