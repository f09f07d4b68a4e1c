//! What columns are called, in the languages of the projects that were looked at.

/// Rules to try, the best first, and what the name says.
type Meaning = (&'static [&'static str], &'static str);

/// A meaning and the words for it: `=word` is one whole part of the name, `word` stands anywhere in it.
const MEANINGS: &[(Meaning, &[&str])] = &[
    (
        (&["null", "hash"], "secret"),
        &[
            "password",
            "passwd",
            "pwd",
            "passphrase",
            "secret",
            "token",
            "apikey",
            "privatekey",
            "passwort",
            "kennwort",
            "contrasena",
            "clave",
            "motdepasse",
            "senha",
            "wachtwoord",
            "parola",
            "sifre",
            "otp",
            "totp",
            "mfa",
            "recoverycode",
            "=salt",
            "cookie",
            "sessionid",
            "accesskey",
            "refreshkey",
            "webhookurl",
            "=hash",
            "credential",
            "=pin",
        ],
    ),
    (
        (&["email", "hash"], "e-mail address"),
        &[
            "email",
            "correo",
            "courriel",
            "mailadresse",
            "=mail",
            "epost",
            "eposta",
            "メール",
        ],
    ),
    (
        (&["phone", "phone:any", "number"], "telephone number"),
        &[
            "phone",
            "telefon",
            "telephone",
            "=tel",
            "=fax",
            "mobile",
            "=mobil",
            "=handy",
            "=cell",
            "cellphone",
            "msisdn",
            "whatsapp",
            "portable",
            "celular",
            "telefoon",
            "rufnummer",
        ],
    ),
    (
        (&["number:card", "number"], "number of a payment card"),
        &[
            "cardnumber",
            "creditcard",
            "ccnumber",
            "=pan",
            "kartennummer",
            "kreditkarte",
            "=cvv",
            "=cvc",
        ],
    ),
    (
        (
            &["number", "hash", "text"],
            "number of a person or an account",
        ),
        &[
            "=ssn",
            "socialsecurity",
            "=iban",
            "=bic",
            "accountnumber",
            "kontonummer",
            "taxid",
            "taxnumber",
            "steuernummer",
            "steuerid",
            "sozialversicherung",
            "nationalid",
            "=nif",
            "=dni",
            "=cpf",
            "=cnpj",
            "=nir",
            "=bsn",
            "codicefiscale",
            "passport",
            "reisepass",
            "licenseplate",
            "driverlicense",
            "=vat",
            "vatid",
            "vatnumber",
            "ustid",
            "personnummer",
            "insurancenumber",
            "=nino",
        ],
    ),
    (
        (&["name:first", "hash"], "given name"),
        &[
            "firstname",
            "givenname",
            "forename",
            "vorname",
            "prenom",
            "=nombre",
            "nomepropio",
            "voornaam",
            "middlename",
            "nickname",
        ],
    ),
    (
        (&["name:last", "hash"], "family name"),
        &[
            "lastname",
            "surname",
            "familyname",
            "nachname",
            "familienname",
            "apellido",
            "cognome",
            "sobrenome",
            "achternaam",
            "soyad",
            "maidenname",
        ],
    ),
    (
        (&["template:user{hash:10}", "hash"], "user name"),
        &[
            "username",
            "userlogin",
            "=login",
            "=handle",
            "screenname",
            "benutzername",
            "nutzername",
            "utilisateur",
        ],
    ),
    (
        (&["name", "hash"], "person's name"),
        &[
            "fullname",
            "displayname",
            "realname",
            "personname",
            "contactname",
            "customername",
            "holdername",
            "nomcomplet",
            "naam",
            "nombrecompleto",
            "姓名",
            "名前",
        ],
    ),
    (
        (&["address:postcode", "number"], "postcode"),
        &[
            "postcode",
            "postalcode",
            "zipcode",
            "=zip",
            "=plz",
            "postleitzahl",
            "codepostal",
            "codigopostal",
            "=cep",
            "=cap",
        ],
    ),
    (
        (&["address:city", "text"], "place"),
        &[
            "=city",
            "=town",
            "=ort",
            "wohnort",
            "=stadt",
            "=ville",
            "ciudad",
            "cidade",
            "=citta",
            "woonplaats",
            "birthplace",
        ],
    ),
    (
        (&["address:street", "text"], "street"),
        &[
            "street",
            "strasse",
            "=rue",
            "=calle",
            "=rua",
            "=straat",
            "addressline",
            "=address1",
            "=address2",
            "housenumber",
        ],
    ),
    (
        (
            &["template:192.0.2.1", "template:2001:db8::1", "null", "text"],
            "network address",
        ),
        &[
            "ipaddress",
            "=ip",
            "remoteaddr",
            "clientip",
            "lastip",
            "=ipv4",
            "=ipv6",
            "macaddress",
        ],
    ),
    (
        (&["address", "text", "hash"], "address"),
        &[
            "address",
            "adresse",
            "direccion",
            "endereco",
            "indirizzo",
            "anschrift",
            "=adres",
        ],
    ),
    (
        (&["date:year", "date", "number"], "date of birth or death"),
        &[
            "birth",
            "=dob",
            "=bday",
            "geburt",
            "naissance",
            "nacimiento",
            "nascimento",
            "nascita",
            "geboorte",
            "dogum",
            "death",
        ],
    ),
    (
        (&["number:noise 20%", "number"], "position or income"),
        &[
            "=lat",
            "=lng",
            "=lon",
            "latitude",
            "longitude",
            "salary",
            "gehalt",
            "salaire",
            "income",
            "sueldo",
        ],
    ),
    (
        (&["hash", "null"], "key of another service"),
        &[
            "externalid",
            "stripe",
            "paypal",
            "oauth",
            "providerid",
            "=uid",
            "googleid",
            "githubid",
            "customerref",
            "deviceid",
            "fingerprint",
        ],
    ),
    (
        (&["text", "null"], "free text"),
        &[
            "note",
            "comment",
            "message",
            "description",
            "=body",
            "content",
            "=bio",
            "about",
            "=text",
            "remark",
            "kommentar",
            "nachricht",
            "bemerkung",
            "beschreibung",
            "comentario",
            "mensaje",
            "commentaire",
            "subject",
            "=title",
            "=summary",
            "feedback",
            "transcript",
            "prompt",
            "completion",
            "=answer",
            "=question",
            "useragent",
            "=url",
            "payload",
            "=raw",
            "filename",
        ],
    ),
];

/// Tables whose column `name` is a person's.
const PEOPLE: &[&str] = &[
    "user",
    "person",
    "people",
    "customer",
    "client",
    "contact",
    "member",
    "employee",
    "patient",
    "student",
    "author",
    "guest",
    "kunde",
    "nutzer",
    "mitarbeiter",
    "cliente",
    "usuario",
    "client",
    "utilisateur",
    "medewerker",
    "persona",
    "lead",
    "recipient",
];

/// What a column's name says, if anything.
pub(super) fn meaning(column: &str, table: &str) -> Option<Meaning> {
    let (joined, parts) = split(column);
    let says = |word: &&str| match word.strip_prefix('=') {
        Some(whole) => parts.iter().any(|part| part == whole),
        None => joined.contains(word),
    };
    // `email_verified`, `phone_count` and `address_id` say something about it, and are not it.
    let about = parts
        .last()
        .is_some_and(|last| ABOUT.contains(&last.as_str()));
    let found = MEANINGS.iter().find(|(_, words)| words.iter().any(&says));
    if let Some((meaning, _)) = found.filter(|_| !about) {
        return Some(*meaning);
    }
    let (table, _) = split(table);
    let names = ["name", "nom", "nome", "nombre", "naam", "isim"];
    let person = PEOPLE.iter().any(|word| table.contains(word));
    (person && names.contains(&joined.as_str())).then_some((&["name", "hash"], "person's name"))
}

const ABOUT: &[&str] = &[
    "id",
    "at",
    "on",
    "verified",
    "confirmed",
    "enabled",
    "count",
    "type",
    "kind",
    "status",
    "state",
    "expires",
    "sent",
    "valid",
    "length",
    "size",
    "version",
    "format",
    "algorithm",
    "optin",
];

/// Whether a column says when its row was written or changed.
pub(super) fn is_time_of_row(column: &str) -> bool {
    let (joined, parts) = split(column);
    let last = parts.last().map(String::as_str);
    let first = parts.first().map(String::as_str);
    let known = [
        "created",
        "updated",
        "modified",
        "deleted",
        "inserted",
        "published",
        "sent",
        "erstellt",
        "geaendert",
        "cree",
        "creado",
    ];
    let begins = first.is_some_and(|first| known.contains(&first));
    begins && (last == Some("at") || last == Some("on") || parts.len() == 1)
        || ["createdate", "creationdate", "timestamp", "lastmodified"].contains(&joined.as_str())
}

/// Whether a number counts or measures something that is nobody's secret.
pub(super) fn is_count(column: &str) -> bool {
    const WORDS: &[&str] = &[
        "count", "quantity", "qty", "anzahl", "menge", "position", "sort", "order", "version",
        "priority", "rank", "level", "size", "width", "height", "percent", "retries", "attempts",
        "tokens",
    ];
    let (_, parts) = split(column);
    parts
        .last()
        .is_some_and(|last| WORDS.contains(&last.as_str()))
}

/// A name in lower case without accents and joints, and its parts: `eMailAdresse`, `e_mail-adresse`.
fn split(name: &str) -> (String, Vec<String>) {
    let mut parts = vec![String::new()];
    let mut before_lower = false;
    for character in name.chars() {
        let new = character.is_uppercase() && before_lower;
        before_lower = character.is_lowercase() || character.is_numeric();
        if !character.is_alphanumeric() || new {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.extend(
                character
                    .to_lowercase()
                    .filter(|c| c.is_alphanumeric())
                    .map(plain),
            );
        }
    }
    parts.retain(|part| !part.is_empty());
    (parts.concat(), parts)
}

fn plain(character: char) -> char {
    match character {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' | 'ı' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        'ş' | 'š' => 's',
        'ğ' => 'g',
        other => other,
    }
}
