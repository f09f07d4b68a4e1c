//! Values that dotenvx encrypted.
