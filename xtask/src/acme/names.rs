//! Names, each with the form that it has in an e-mail address.

/// Given names.
#[rustfmt::skip]
pub(super) const FIRST: [(&str, &str); 64] = [
    ("Anna", "anna"), ("Ben", "ben"), ("Chiara", "chiara"), ("David", "david"), ("Elif", "elif"),
    ("Fatima", "fatima"), ("Georg", "georg"), ("Hana", "hana"), ("Ivan", "ivan"), ("Jürgen", "juergen"),
    ("Katarzyna", "katarzyna"), ("Liam", "liam"), ("Mei", "mei"), ("Niamh", "niamh"), ("Olu", "olu"),
    ("Priya", "priya"), ("Quentin", "quentin"), ("Rosa", "rosa"), ("Søren", "soeren"), ("Tomáš", "tomas"),
    ("Uma", "uma"), ("Víctor", "victor"), ("Wiktoria", "wiktoria"), ("Xavier", "xavier"), ("Yuki", "yuki"),
    ("Zoë", "zoe"), ("Aisha", "aisha"), ("Bogdan", "bogdan"), ("Camille", "camille"), ("Dmitri", "dmitri"),
    ("Esther", "esther"), ("Florian", "florian"), ("Grace", "grace"), ("Hugo", "hugo"), ("Ingrid", "ingrid"),
    ("José", "jose"), ("Kwame", "kwame"), ("Leila", "leila"), ("Marco", "marco"), ("Nadia", "nadia"),
    ("Oskar", "oskar"), ("Paula", "paula"), ("Ravi", "ravi"), ("Sofia", "sofia"), ("Tariq", "tariq"),
    ("Ulrike", "ulrike"), ("Vera", "vera"), ("William", "william"), ("Yara", "yara"), ("Zeynep", "zeynep"),
    ("Amélie", "amelie"), ("Björn", "bjoern"), ("Carlos", "carlos"), ("Deepa", "deepa"), ("Emeka", "emeka"),
    ("Freya", "freya"), ("Gabriel", "gabriel"), ("Helena", "helena"), ("Isaac", "isaac"), ("Jana", "jana"),
    ("Khalid", "khalid"), ("Lucía", "lucia"), ("Miguel", "miguel"), ("Noor", "noor"),
];

/// Family names.
#[rustfmt::skip]
pub(super) const LAST: [(&str, &str); 64] = [
    ("Müller", "mueller"), ("García", "garcia"), ("Nguyễn", "nguyen"), ("Smith", "smith"), ("Kowalska", "kowalska"),
    ("O'Brien", "obrien"), ("Rossi", "rossi"), ("Đorđević", "djordjevic"), ("Tanaka", "tanaka"), ("Okafor", "okafor"),
    ("Andersson", "andersson"), ("Silva", "silva"), ("Haddad", "haddad"), ("Novák", "novak"), ("Dubois", "dubois"),
    ("Kaya", "kaya"), ("Ivanova", "ivanova"), ("Patel", "patel"), ("van den Berg", "vandenberg"), ("Jensen", "jensen"),
    ("Popescu", "popescu"), ("Horvat", "horvat"), ("Murphy", "murphy"), ("Fernández", "fernandez"), ("Cohen", "cohen"),
    ("Yılmaz", "yilmaz"), ("Bakker", "bakker"), ("Schäfer", "schaefer"), ("Costa", "costa"), ("Johnson", "johnson"),
    ("Lindqvist", "lindqvist"), ("Mbeki", "mbeki"), ("Szabó", "szabo"), ("Reyes", "reyes"), ("Fischer", "fischer"),
    ("Moreau", "moreau"), ("Sharma", "sharma"), ("Kim", "kim"), ("Wójcik", "wojcik"), ("Petrov", "petrov"),
    ("Brown", "brown"), ("Adeyemi", "adeyemi"), ("Larsen", "larsen"), ("Torres", "torres"), ("Weber", "weber"),
    ("Rahman", "rahman"), ("Çelik", "celik"), ("Mäkinen", "maekinen"), ("Santos", "santos"), ("Walker", "walker"),
    ("Bianchi", "bianchi"), ("Chowdhury", "chowdhury"), ("de la Cruz", "delacruz"), ("Eriksen", "eriksen"),
    ("Farah", "farah"), ("Greene", "greene"), ("Hoang", "hoang"), ("Ito", "ito"), ("Jovanović", "jovanovic"),
    ("Kruger", "kruger"), ("Lefèvre", "lefevre"), ("Mendes", "mendes"), ("Nowak", "nowak"), ("Owusu", "owusu"),
];
