//! Which network addresses an endpoint may be at.
//!
//! An endpoint that is a literal address is registered at exactly that address, and one that is `localhost`
//! at this machine. Every other endpoint is a name, and a name says nothing of where it leads: whoever
//! answers for it can answer with an address inside of our own networks, and change the answer in between
//! (DNS rebinding). So a name is resolved once for each connection, every address of the answer is judged
//! here, and the connection goes to an address that was judged. One bad address refuses the whole answer.
//!
//! Special ranges are those of the IANA registries (RFC 6890 and its updates). An IPv6 address that carries
//! an IPv4 address is judged by what it carries too, because a gateway may unwrap it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer};

/// A range of addresses, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Self {
        Self { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    const fn v6(first: [u16; 8], bits: u8) -> Self {
        let [a, b, c, d, e, f, g, h] = first;
        Self { first: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), bits }
    }

    /// Whether the address is in it. Addresses of the other version never are.
    pub fn has(&self, address: IpAddr) -> bool {
        let (first, width) = number(self.first);
        let (other, other_width) = number(address);
        width == other_width && (first ^ other).checked_shr(width - u32::from(self.bits)).unwrap_or(0) == 0
    }
}

fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

/// Why a text is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no range of addresses: write the first address, a slash and the number of bits that are fixed, \
     such as `10.0.0.0/8` or `fd00:1::/32`"
)]
pub struct BadNetwork(String);

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (first, bits) = text.split_once('/').ok_or_else(bad)?;
        let (first, bits) =
            (first.parse::<IpAddr>().map_err(|_| bad())?, bits.parse::<u8>().map_err(|_| bad())?);
        let (number, width) = number(first);
        let free = width.checked_sub(u32::from(bits)).ok_or_else(bad)?;
        // `10.1.2.3/8` is a mistake of somebody who meant something narrower.
        let rest = 1_u128.checked_shl(free).map_or(u128::MAX, |above| above - 1);
        if number & rest == 0 { Ok(Self { first, bits }) } else { Err(bad()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What an address is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Anywhere in the world.
    Public,
    /// Inside of somebody's own network, or reserved: a name may lead there only where the settings have the
    /// range.
    Inside,
    /// On this machine: the same.
    Loopback,
    /// Where a machine asks who it is and what its credentials are, or nobody's: no name ever leads there.
    Never,
}

/// What answers on the link alone, cloud metadata services, and what is no single machine.
const NEVER: [Network; 13] = [
    Network::v4(169, 254, 0, 0, 16),
    Network::v4(100, 100, 100, 200, 32),
    Network::v4(192, 0, 0, 192, 32),
    Network::v4(168, 63, 129, 16, 32),
    Network::v4(0, 0, 0, 0, 8),
    Network::v4(224, 0, 0, 0, 4),
    Network::v4(240, 0, 0, 0, 4),
    Network::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    Network::v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32),
    Network::v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
    Network::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
    Network::v6([0; 8], 128),
    Network::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
];

const LOOPBACK: [Network; 2] = [Network::v4(127, 0, 0, 0, 8), Network::v6([0, 0, 0, 0, 0, 0, 0, 1], 128)];

/// Private use, carriers' own, benchmarks, documentation, and ways of tunnelling.
const INSIDE: [Network; 17] = [
    Network::v4(10, 0, 0, 0, 8),
    Network::v4(172, 16, 0, 0, 12),
    Network::v4(192, 168, 0, 0, 16),
    Network::v4(100, 64, 0, 0, 10),
    Network::v4(192, 0, 0, 0, 24),
    Network::v4(192, 0, 2, 0, 24),
    Network::v4(192, 88, 99, 0, 24),
    Network::v4(198, 18, 0, 0, 15),
    Network::v4(198, 51, 100, 0, 24),
    Network::v4(203, 0, 113, 0, 24),
    Network::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    Network::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
    Network::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    Network::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    Network::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    Network::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    Network::v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
];

impl Place {
    /// What the address is, and what the addresses are that it carries: the worst of them.
    pub fn of(address: IpAddr) -> Self {
        carried(address).map(Self::alone).chain([Self::alone(address)]).max().unwrap_or(Self::Never)
    }

    fn alone(address: IpAddr) -> Self {
        let among = |ranges: &[Network]| ranges.iter().any(|range| range.has(address));
        if among(&NEVER) {
            Self::Never
        } else if among(&LOOPBACK) {
            Self::Loopback
        } else if among(&INSIDE) {
            Self::Inside
        } else {
            Self::Public
        }
    }
}

/// The IPv4 addresses that an IPv6 address may stand for: mapped and compatible (RFC 4291 §2.5.5), NAT64 (RFC
/// 6052, RFC 8215), 6to4 (RFC 3056), Teredo (RFC 4380 §4), ISATAP (RFC 5214 §6.1).
fn carried(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let segments = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(v6.segments()),
    };
    segments.into_iter().flat_map(|s| {
        let at = |high: usize| {
            let [high, low] = [s[high], s[high + 1]];
            IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        };
        let flipped = || IpAddr::V4(Ipv4Addr::from_bits(!(u32::from(s[6]) << 16 | u32::from(s[7]))));
        let found: Vec<IpAddr> = match s {
            [0, 0, 0, 0, 0, 0, 0, 0 | 1] => vec![],
            [0x2002, ..] => vec![at(1)],
            [0x2001, 0, ..] => vec![at(2), flipped()],
            [0, 0, 0, 0, 0, 0 | 0xffff, ..]
            | [0, 0, 0, 0, 0xffff, 0, ..]
            | [0x64, 0xff9b, ..]
            | [.., 0 | 0x200, 0x5efe, _, _] => vec![at(6)],
            _ => vec![],
        };
        found
    })
}

/// The IPv4 address that an IPv4-mapped one is.
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Where the name of an endpoint may lead.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    /// Nowhere but to this machine: the name is `localhost`.
    local: bool,
    /// The ranges inside of our own networks that the settings name.
    networks: Vec<Network>,
}

impl Reach {
    /// The reach of an endpoint with this host.
    pub fn of(host: &str, networks: &[Network]) -> Self {
        Self { local: host == "localhost", networks: networks.to_vec() }
    }

    /// Whether the name may lead to the address.
    pub fn allows(&self, address: IpAddr) -> Result<(), Astray> {
        let place = Place::of(address);
        let named = || {
            let plain = unmapped(address);
            self.networks.iter().any(|network| network.has(address) || network.has(plain))
        };
        let allowed = match place {
            Place::Loopback => self.local || named(),
            Place::Public => !self.local,
            Place::Inside => !self.local && named(),
            Place::Never => false,
        };
        if allowed { Ok(()) } else { Err(Astray { address, place, local: self.local }) }
    }
}

/// A name leads to where it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Astray {
    /// Where it leads.
    pub address: IpAddr,
    /// What that is.
    pub place: Place,
    local: bool,
}

impl std::error::Error for Astray {}
impl fmt::Display for Astray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, place, local } = self;
        if *local {
            return write!(f, "`localhost` leads to {address}, which is not this machine");
        }
        let (what, then) = match place {
            Place::Public => ("an address of the world", "look at the name"),
            Place::Inside => (
                "inside of a network of one's own",
                "if the system is there, name the range in `networks`, or write the address as the endpoint",
            ),
            Place::Loopback => {
                ("this machine", "if the system is here, write the address or `localhost` as the endpoint")
            }
            Place::Never => (
                "where a machine learns its own credentials, or nobody's",
                "no name may lead there; find out who answers for it",
            ),
        };
        write!(f, "its name leads to {address}, which is {what}; {then}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_the_registries_say_and_what_it_carries() {
        let check = |text: &str, expect: Place| {
            assert_eq!(Place::of(text.parse().unwrap()), expect, "{text}");
        };
        for public in
            ["1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "169.253.1.1"]
        {
            check(public, Place::Public);
        }
        for public in ["2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1", "fbff::1"]
        {
            check(public, Place::Public);
        }
        for inside in
            ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255"]
        {
            check(inside, Place::Inside);
        }
        for inside in
            ["198.18.0.1", "192.0.2.7", "fc00::1", "fdff::1", "fec0::1", "2001:db8::1", "64:ff9b:1::101:101"]
        {
            check(inside, Place::Inside);
        }
        for carrying in
            ["::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1:0:0:fefe:fefe"]
        {
            check(carrying, Place::Inside);
        }
        // The client of a Teredo address is written with its bits flipped; ISATAP has it at the end.
        for carrying in
            ["2001:0:101:101:0:0:f5ff:fffe", "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:a00:1"]
        {
            check(carrying, Place::Inside);
        }
        for here in ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"]
        {
            check(here, Place::Loopback);
        }
        for never in
            ["169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "0.0.0.0"]
        {
            check(never, Place::Never);
        }
        for never in [
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "::",
            "ff02::1",
        ] {
            check(never, Place::Never);
        }
        for never in [
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "::ffff:0.0.0.0",
            "fd20:ce::254",
        ] {
            check(never, Place::Never);
        }
    }

    #[test]
    fn a_name_leads_only_where_it_is_registered() {
        let networks =
            ["10.0.0.0/8", "fd00:1::/32", "127.0.0.0/8", "169.254.0.0/16"].map(|n| n.parse().unwrap());
        let check = |host: &str, networks: &[Network], address: &str, expect: bool| {
            let allowed = Reach::of(host, networks).allows(address.parse().unwrap());
            assert_eq!(allowed.is_ok(), expect, "{host} {address}: {allowed:?}");
        };
        for (address, without, with) in [
            ("1.1.1.1", true, true),
            ("10.1.2.3", false, true),
            ("::ffff:10.1.2.3", false, true),
            ("192.168.0.1", false, false),
            ("fd00:1::7", false, true),
            ("fd00:2::7", false, false),
            ("127.0.0.1", false, true),
            ("::1", false, false),
            // No range makes these right.
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            // What is carried is not named by what carries it.
            ("64:ff9b::a00:1", false, false),
        ] {
            check("chat.example", &[], address, without);
            check("chat.example", &networks, address, with);
        }
        for (address, expect) in [("127.0.0.1", true), ("::1", true), ("1.1.1.1", false), ("10.0.0.1", false)]
        {
            check("localhost", &[], address, expect);
            check("localhost", &networks, address, expect);
        }
    }

    #[test]
    fn a_range_is_written_by_its_first_address() {
        let check = |text: &str, expect: bool| {
            let read = text.parse::<Network>();
            assert_eq!(read.is_ok(), expect, "{text}: {read:?}");
            if let Ok(network) = read {
                assert_eq!(network.to_string(), text);
            }
        };
        for good in ["10.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "::/0", "fd00:1::/32", "::1/128"] {
            check(good, true);
        }
        for bad in
            ["10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "::/129", "10/8", "ten/8", "10.0.0.0/", "fd00::1/64"]
        {
            check(bad, false);
        }
        assert!("0.0.0.0/0".parse::<Network>().unwrap().has("9.9.9.9".parse().unwrap()));
        assert!(!"0.0.0.0/0".parse::<Network>().unwrap().has("::1".parse().unwrap()));
    }
}
