//! Which certificate a server shows: by the name that the client asks for, and exchangeable while it serves.

use crate::tls::error::{invalid, invalid_because};
use crate::tls::pem::Identity;
use parking_lot::{Mutex, RwLock};
use rustls::pki_types::DnsName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Certificates of a server, chosen by the name that a client asks for (SNI).
///
/// A name is looked up as it is, then as a wildcard (`*.example.org` is for names with exactly one more label), then the default
/// is taken. Without a default, and for a client that names nobody, the handshake fails.
///
/// Every change is one swap: a handshake sees all of it or nothing, and running connections go on with what they have. A change
/// that fails changes nothing. These functions read files and may block; [`reload`](SniResolver::reload) of many files belongs
/// into `rt::spawn_blocking`.
///
/// Counterpart: `rustls::server::ResolvesServerCertUsingSni`, which cannot be changed; Twisted's txsni.
///
/// ```
/// # #[cfg(feature = "tls")]
/// # mod example {
/// use rt::net::tls::{SniResolver, TlsAcceptor};
/// use std::sync::Arc;
///
/// fn acceptor() -> std::io::Result<(TlsAcceptor, Arc<SniResolver>)> {
///     let resolver = Arc::new(SniResolver::new());
///     resolver.add_pem_files("shop.pem", "shop.key")?;
///     resolver.set_default_pem_files("www.pem", "www.key")?;
///     let acceptor = TlsAcceptor::builder().resolver(resolver.clone()).build()?;
///     // Later, when the files are new: resolver.reload()?
///     Ok((acceptor, resolver))
/// }
/// # }
/// ```
#[derive(Default)]
pub struct SniResolver {
    table: RwLock<Arc<Table>>,
    /// Changes are made one after the other.
    change: Mutex<()>,
}

#[derive(Default)]
struct Table {
    entries: Vec<Arc<Entry>>,
    /// In lower case, wildcards with their asterisk.
    by_name: HashMap<String, Arc<Entry>>,
    default: Option<Arc<Entry>>,
}

struct Entry {
    key: Arc<CertifiedKey>,
    /// Where to load it from again; `None` for what was given as bytes.
    files: Option<Identity>,
    names: Names,
    is_default: bool,
}

#[derive(Clone)]
pub(crate) enum Names {
    Given(Vec<String>),
    OfTheCertificate,
    None,
}

impl SniResolver {
    /// Without any certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a certificate chain and its private key, for the DNS names that the certificate bears. It takes names over from
    /// certificates that were added before.
    ///
    /// # Errors
    ///
    /// A file cannot be read or holds something else, the key does not belong to the certificate, or the certificate bears no DNS
    /// name: the sentence names the file.
    pub fn add_pem_files(&self, certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> io::Result<()> {
        self.add(&Identity::files(certificates, key), Names::OfTheCertificate, false)
    }

    /// [`add_pem_files`](SniResolver::add_pem_files) for `names`, whatever the certificate says.
    ///
    /// # Errors
    ///
    /// Those of [`add_pem_files`](SniResolver::add_pem_files); something in `names` is neither a DNS name nor a wildcard.
    pub fn add_pem_files_for<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> io::Result<()> {
        let names = names.into_iter().map(|name| checked(name.as_ref())).collect::<io::Result<_>>()?;
        self.add(&Identity::files(certificates, key), Names::Given(names), false)
    }

    /// Sets what is shown to clients that ask for an unknown name, or for none.
    ///
    /// # Errors
    ///
    /// Those of [`add_pem_files`](SniResolver::add_pem_files).
    pub fn set_default_pem_files(&self, certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> io::Result<()> {
        self.add(&Identity::files(certificates, key), Names::None, true)
    }

    /// [`add_pem_files`](SniResolver::add_pem_files) with the contents of the files. Reloading leaves them as they are.
    ///
    /// # Errors
    ///
    /// Those of [`add_pem_files`](SniResolver::add_pem_files) without files.
    pub fn add_pem(&self, certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> io::Result<()> {
        self.add(&Identity::bytes(certificates, key), Names::OfTheCertificate, false)
    }

    /// [`set_default_pem_files`](SniResolver::set_default_pem_files) with the contents of the files.
    ///
    /// # Errors
    ///
    /// Those of [`add_pem`](SniResolver::add_pem).
    pub fn set_default_pem(&self, certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> io::Result<()> {
        self.add(&Identity::bytes(certificates, key), Names::None, true)
    }

    /// Reads all files again. The new certificates are shown in handshakes from now on, all of them or none.
    ///
    /// # Errors
    ///
    /// Those of [`add_pem_files`](SniResolver::add_pem_files), of the first file that is not good. All stays as it was.
    pub fn reload(&self) -> io::Result<()> {
        let _change = self.change.lock();
        let entries = self.current().entries.iter().map(Entry::loaded_again).collect::<io::Result<_>>()?;
        self.swap(Table::index(entries)?);
        Ok(())
    }

    /// Takes over all that `other` has, in place of what was here. That is how to take a certificate away.
    pub fn replace(&self, other: SniResolver) {
        let _change = self.change.lock();
        let old = std::mem::replace(&mut *self.table.write(), other.table.into_inner());
        drop(old);
    }

    pub(crate) fn add(&self, identity: &Identity, names: Names, is_default: bool) -> io::Result<()> {
        let entry = Arc::new(Entry::load(identity, names, is_default)?);
        let _change = self.change.lock();
        let mut entries = self.current().entries.clone();
        entries.push(entry);
        self.swap(Table::index(entries)?);
        Ok(())
    }

    fn current(&self) -> Arc<Table> {
        self.table.read().clone()
    }

    fn swap(&self, table: Table) {
        let old = std::mem::replace(&mut *self.table.write(), Arc::new(table));
        // Not under the lock, which handshakes want.
        drop(old);
    }
}

impl ResolvesServerCert for SniResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.read();
        // rustls gives it in lower case.
        let named = hello.server_name().and_then(|name| table.named(name));
        named.or(table.default.as_ref()).map(|entry| entry.key.clone())
    }
}

impl fmt::Debug for SniResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.current();
        let mut names: Vec<_> = table.by_name.keys().collect();
        names.sort();
        f.debug_struct("SniResolver").field("names", &names).field("has_default", &table.default.is_some()).finish()
    }
}

impl Table {
    /// Of those that bear a name, the one added last has it. Who has none left is forgotten.
    fn index(mut entries: Vec<Arc<Entry>>) -> io::Result<Table> {
        let mut table = Table::default();
        for entry in &entries {
            for name in entry.names()? {
                table.by_name.insert(name, entry.clone());
            }
            if entry.is_default {
                table.default = Some(entry.clone());
            }
        }
        entries.retain(|entry| table.by_name.values().chain(&table.default).any(|used| Arc::ptr_eq(used, entry)));
        table.entries = entries;
        Ok(table)
    }

    fn named(&self, name: &str) -> Option<&Arc<Entry>> {
        let name = without_last_dot(name);
        self.by_name.get(name).or_else(|| {
            let (_, rest) = name.split_once('.')?;
            self.by_name.get(&format!("*.{rest}"))
        })
    }
}

impl Entry {
    fn load(identity: &Identity, names: Names, is_default: bool) -> io::Result<Entry> {
        let key = Arc::new(identity.load()?);
        Ok(Entry { key, files: identity.is_of_files().then(|| identity.clone()), names, is_default })
    }

    fn loaded_again(self: &Arc<Entry>) -> io::Result<Arc<Entry>> {
        match &self.files {
            Some(files) => Entry::load(files, self.names.clone(), self.is_default).map(Arc::new),
            None => Ok(self.clone()),
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let names = match &self.names {
            Names::Given(names) => names.clone(),
            Names::None => Vec::new(),
            Names::OfTheCertificate => names_of(&self.key)?,
        };
        if names.is_empty() && !self.is_default {
            let file = self.files.as_ref().map_or("the PEM text given".to_owned(), Identity::name);
            return Err(invalid(format!(
                "the certificate in {file} bears no DNS name; give it names, or make it the default"
            )));
        }
        Ok(names)
    }
}

fn names_of(key: &CertifiedKey) -> io::Result<Vec<String>> {
    let certificate = key.end_entity_cert().and_then(|certificate| {
        webpki::EndEntityCert::try_from(certificate).map_err(|fault| rustls::Error::General(fault.to_string()))
    });
    let certificate =
        certificate.map_err(|fault| invalid_because(format!("a certificate cannot be read: {fault}"), fault))?;
    Ok(certificate.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

/// What a name ends with that is written in full. Clients must not send it, and some do.
fn without_last_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// `name` in lower case, if it is a DNS name or a wildcard.
fn checked(name: &str) -> io::Result<String> {
    let name = name.to_ascii_lowercase();
    match DnsName::try_from(name.strip_prefix("*.").unwrap_or(&name)) {
        Ok(_) => Ok(without_last_dot(&name).to_owned()),
        Err(fault) => {
            let sentence =
                format!("{name:?} is no name to choose a certificate by: it has to be a DNS name, or \"*.\" and one");
            Err(invalid_because(sentence, fault))
        }
    }
}
