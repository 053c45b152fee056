"""DMARC: what the world is told to do with mail that only says it is from our domain. Big receivers ask for it."""

import dns.exception
import dns.rdatatype
from dns.asyncresolver import Resolver
from dns.resolver import NXDOMAIN, NoAnswer

from cli.checks.finding import Finding, not_checked, ok, warning

ASK_S = 4.0


async def dmarc(domain: str, resolver: Resolver | None) -> list[Finding]:
    """The record of the domain, or of the nearest one above it that has one."""
    check, asking = f"DMARC {domain}", resolver
    try:
        asking = asking or Resolver()
        for name in _upwards(domain):
            if record := await _record(asking, name):
                return [ok(check, f"_dmarc.{name}: {record[:100]}")]
    except (dns.exception.DNSException, OSError) as error:
        do = f"ask yourself: dig +short TXT _dmarc.{domain}"
        return [not_checked(check, f"DNS did not answer ({type(error).__name__})", do)]
    do = f'put a TXT record at _dmarc.{domain}: "v=DMARC1; p=none"; Gmail and Yahoo ask senders of bulk mail for one'
    return [warning(check, "there is no DMARC record", do)]


def _upwards(domain: str) -> list[str]:
    """mail.example.com, example.com: never a top-level domain."""
    labels = domain.split(".")
    return [".".join(labels[place:]) for place in range(len(labels) - 1)]


async def _record(resolver: Resolver, domain: str) -> str | None:
    try:
        answer = await resolver.resolve(f"_dmarc.{domain}", dns.rdatatype.TXT, lifetime=ASK_S)
    except (NXDOMAIN, NoAnswer):
        return None
    texts = [b"".join(each.strings).decode("ascii", "replace") for each in answer]
    return next((each for each in texts if each.replace(" ", "").lower().startswith("v=dmarc1")), None)
