//! stub
/// x
pub enum Hello {
    /// x
    Incomplete,
    /// x
    NotTls,
    /// x
    Tls {
        /// x
        server_name: Option<String>,
        /// x
        encrypted: bool,
    },
}
/// x
pub fn read(_b: &[u8]) -> Hello {
    Hello::NotTls
}
/// x
pub fn is_postgres_ssl_request(_b: &[u8]) -> bool {
    false
}
