//! stub
pub(super) struct Implied {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) vendor: &'static str,
}
pub(super) fn implied<'a>(
    _name: &str,
    _value: &str,
    _lookup: &dyn Fn(&str) -> Option<&'a str>,
) -> Vec<Implied> {
    Vec::new()
}
