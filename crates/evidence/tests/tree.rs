//! Hashes and proofs against a reference that follows the recursive definitions of RFC 6962 word for word.

#![allow(missing_docs, clippy::unwrap_used)]

use bailiwick_evidence::{EvidenceError, Hash, merkle};

/// MTH of RFC 6962 §2.1.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(k(leaves.len()));
            let mut message = vec![1];
            message.extend_from_slice(mth(left).as_bytes());
            message.extend_from_slice(mth(right).as_bytes());
            Hash::of(&message)
        }
    }
}

fn k(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// PATH of RFC 6962 §2.1.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(k(leaves.len()));
    let (mut proof, sibling) =
        if m < left.len() { (path(m, left), mth(right)) } else { (path(m - left.len(), right), mth(left)) };
    proof.push(sibling);
    proof
}

/// SUBPROOF of RFC 6962 §2.1.2.
fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let (left, right) = leaves.split_at(k(leaves.len()));
    let (mut proof, sibling) = if m <= left.len() {
        (subproof(m, left, whole), mth(right))
    } else {
        (subproof(m - left.len(), right, false), mth(left))
    };
    proof.push(sibling);
    proof
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|i| merkle::leaf_hash(format!("{i}").as_bytes())).collect()
}

fn subtree(leaves: &[Hash]) -> impl FnMut(u32, u64) -> Result<Hash, EvidenceError> {
    |height, index| {
        let start = (index as usize) << height;
        Ok(mth(&leaves[start..start + (1 << height)]))
    }
}

#[test]
fn known_hashes() {
    // SHA-256 of nothing, and of the byte 0x00: RFC 6962 §2.1.
    assert_eq!(merkle::empty_root().to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    assert_eq!(merkle::leaf_hash(b"").to_string(), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
}

/// The tree that Certificate Transparency implementations test with: eight leaves, roots of all its prefixes.
#[test]
fn known_roots() {
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    };
    let inputs =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let leaves: Vec<Hash> = inputs.iter().map(|input| merkle::leaf_hash(&hex(input))).collect();
    for (size, root) in (1..).zip(roots) {
        assert_eq!(merkle::root(&leaves[..size]).as_bytes()[..], hex(root), "size {size}");
    }
}

#[test]
fn inclusion_for_every_leaf_of_every_size() {
    for size in 1..=260 {
        let leaves = leaves(size);
        let root = mth(&leaves);
        assert_eq!(merkle::root(&leaves), root);
        assert_eq!(merkle::root_at(size as u64, subtree(&leaves)).unwrap(), root);
        // Every leaf for small trees; the edges of the tree and of a tile for large ones.
        let all = size <= 40;
        for index in (0..size).filter(|i| all || *i < 2 || *i + 3 > size || (254..258).contains(i)) {
            let proof = merkle::inclusion_proof(index as u64, size as u64, subtree(&leaves)).unwrap();
            assert_eq!(proof, path(index, &leaves), "{index} of {size}");
            let verify = |leaf: &Hash, index, proof: &[Hash], root: &Hash| {
                merkle::verify_inclusion(leaf, index, size as u64, proof, root).is_ok()
            };
            let (leaf, at) = (leaves[index], index as u64);
            assert!(verify(&leaf, at, &proof, &root));
            assert!(!verify(&Hash::of(b"other"), at, &proof, &root));
            assert!(!verify(&leaf, at, &proof, &Hash::of(b"other")));
            assert!(size == 1 || !verify(&leaf, (at + 1) % size as u64, &proof, &root));
            assert!(proof.is_empty() || !verify(&leaf, at, &proof[1..], &root));
            assert!(!verify(&leaf, at, &[proof.clone(), vec![root]].concat(), &root));
            for flip in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[flip] = Hash::of(b"other");
                assert!(!verify(&leaf, at, &wrong, &root));
            }
        }
    }
    assert!(merkle::inclusion_proof(3, 3, subtree(&leaves(3))).is_err());
    assert!(merkle::verify_inclusion(&leaves(1)[0], 1, 1, &[], &leaves(1)[0]).is_err());
}

#[test]
fn consistency_between_all_sizes() {
    let largest = 130;
    let leaves = leaves(largest);
    let roots: Vec<Hash> = (0..=largest).map(|size| mth(&leaves[..size])).collect();
    for new in 0..=largest {
        for old in 0..=new {
            let (m, n) = (old as u64, new as u64);
            let proof = merkle::consistency_proof(m, n, subtree(&leaves)).unwrap();
            let expected = if old == 0 { Vec::new() } else { subproof(old, &leaves[..new], true) };
            assert_eq!(proof, expected, "{old} to {new}");
            let verify = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
                merkle::verify_consistency((m, old_root), (n, new_root), proof).is_ok()
            };
            let other = Hash::of(b"other");
            assert!(verify(&roots[old], &roots[new], &proof), "{old} to {new}");
            assert!(!verify(&other, &roots[new], &proof), "{old} to {new}");
            assert!(old == 0 && new > 0 || !verify(&roots[old], &other, &proof), "{old} to {new}");
            assert!(
                !verify(&roots[old], &roots[new], &[proof.clone(), vec![other]].concat()),
                "{old} to {new}"
            );
            assert!(proof.is_empty() || !verify(&roots[old], &roots[new], &proof[1..]), "{old} to {new}");
            for flip in 0..proof.len() {
                let mut wrong = proof.clone();
                wrong[flip] = other;
                assert!(!verify(&roots[old], &roots[new], &wrong), "{old} to {new}");
            }
        }
    }
    assert!(merkle::consistency_proof(2, 1, subtree(&leaves)).is_err());
}
