//! Here-documents: the lines after a command that are its input.

/// One that was announced and whose lines have not come yet.
pub(super) struct HereDocument {
    delimiter: String,
    /// `<<-`: tabs at the beginning of lines do not count.
    is_indented: bool,
}

/// The here-document that begins at the beginning of `text` (`<<EOF`, `<<-'EOF'`), and the length of that.
pub(super) fn announced(text: &str) -> Option<(HereDocument, usize)> {
    let rest = text.strip_prefix("<<")?;
    if rest.starts_with('<') {
        return None;
    }
    let unindented = rest.strip_prefix('-');
    let word = unindented.unwrap_or(rest).trim_start_matches([' ', '\t']);
    let length = word
        .find(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')'))
        .unwrap_or(word.len());
    let written = word.get(..length)?;
    let here_document = HereDocument {
        delimiter: written.replace(['"', '\'', '\\'], ""),
        is_indented: unindented.is_some(),
    };
    (length > 0).then_some((here_document, text.len() - word.len() + length))
}

impl HereDocument {
    /// Length of the lines at the beginning of `text` that are this one's, its delimiter's included.
    pub(super) fn length(&self, text: &str) -> usize {
        let mut length = 0;
        for line in text.split_inclusive('\n') {
            length += line.len();
            let line = line.trim_end_matches(['\n', '\r']);
            let content = if self.is_indented {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if content == self.delimiter {
                break;
            }
        }
        length
    }
}
