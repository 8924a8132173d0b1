"""Time stamps (RFC 3161): the request, and what a reply must prove.

Read with asn1crypto, which forgives: strict readers refuse tokens whose certificates are not in DER's order of a SET,
and that is how many an authority that is well sends them (OpenSSL among them). A monitor must not call those down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import algos, cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from probes.protocols.signatures import (
    MALFORMED,
    MAX_CERTIFICATES,
    Untrusted,
    forgiving,
    issued_under,
    may,
    valid_at,
    verify,
)
from probes.results import Reason

GRANTED = frozenset({"granted", "granted_with_mods"})
HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class _Reply(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """A TimeStampResp; asn1crypto's own knows none without a token, which is what a refusal is."""

    _fields = [("status", tsp.PKIStatusInfo), ("time_stamp_token", cms.ContentInfo, {"optional": True})]  # noqa: RUF012  # as asn1crypto wants it


class Wrong(Exception):
    """The reply is no stamp, or not for what was asked; the message repeats nothing of it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """`reason` in the vocabulary's words, `detail` for people."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be stamped: a SHA-256 digest, and the number that the stamp must repeat."""

    digest: bytes
    nonce: int

    def encode(self) -> bytes:
        """A TimeStampReq (RFC 3161 2.4.1) that asks for the signer's certificate too."""
        imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": self.digest}
        asked = {"version": "v1", "message_imprint": imprint, "nonce": self.nonce, "cert_req": True}
        return bytes(tsp.TimeStampReq(asked).dump())


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no stamp (RFC 3161 2.4.2): names of a PKIStatus and of PKIFailureInfo's bits."""

    status: str
    failures: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stamp:
    """A stamp whose signature holds."""

    time: datetime
    signer: x509.Certificate


def read(reply: bytes, question: Question, ca: x509.Certificate | None) -> Stamp | Refusal:
    """What a reply proves; its signer leads to `ca` if one is given. Raises `Wrong` and `Untrusted`."""
    try:
        with forgiving():
            return _read(reply, question, ca)
    except MALFORMED:
        raise Wrong(Reason.PROTOCOL_ERROR, "the answer is no time-stamp reply") from None


def _read(reply: bytes, question: Question, ca: x509.Certificate | None) -> Stamp | Refusal:
    response = _Reply.load(reply, strict=True)
    status = response["status"]["status"].native
    if status not in GRANTED:
        return Refusal(str(status), frozenset(response["status"]["fail_info"].native or ()))
    token = response["time_stamp_token"]
    if token["content_type"].native != "signed_data":
        raise Wrong(Reason.PROTOCOL_ERROR, "the token is not signed")
    signed = token["content"]
    info = signed["encap_content_info"]
    if info["content_type"].native != "tst_info":
        raise Wrong(Reason.PROTOCOL_ERROR, "what is signed is no time stamp")
    stamp = info["content"].parsed
    _answers(stamp, question)
    time = stamp["gen_time"].native
    return Stamp(time, _signer(signed, bytes(info["content"]), time, ca))


def _answers(stamp: Any, question: Question) -> None:
    """Raise `Wrong` unless the stamp repeats what was asked (RFC 3161 2.4.2)."""
    if stamp["nonce"].native != question.nonce:
        raise Wrong(Reason.WRONG_CONTENT, "the stamp repeats another request's nonce, or none")
    imprint = stamp["message_imprint"]
    asked = ("sha256", question.digest)
    if (imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native) != asked:
        raise Wrong(Reason.WRONG_CONTENT, "the stamp is for another message")


def _signer(signed: Any, content: bytes, time: datetime, ca: x509.Certificate | None) -> x509.Certificate:
    """Who signed (RFC 5652 5.4, RFC 3161 2.3, RFC 5816); raises `Untrusted`."""
    if len(signed["signer_infos"]) != 1:
        raise Untrusted("a stamp has exactly one signature")
    signer_info = signed["signer_infos"][0]
    certificates = _certificates(signed["certificates"])
    signer = _chosen(signer_info["sid"], certificates)
    attributes = {attribute["type"].native: attribute["values"] for attribute in signer_info["signed_attrs"]}
    digest_name = signer_info["digest_algorithm"]["algorithm"].native
    if attributes["message_digest"][0].native != hashlib.new(_known(digest_name), content).digest():
        raise Untrusted("the signature is for another stamp")
    if attributes["content_type"][0].native != "tst_info":
        raise Untrusted("the signature is for something else than a stamp")
    _bound(attributes, signer)
    algorithm: algos.SignedDigestAlgorithm = signer_info["signature_algorithm"]
    name = algorithm["algorithm"].native
    hash_name = digest_name if name in {"rsassa_pkcs1v15", "ed25519", "ed448"} else algorithm.hash_algo
    verify(
        signer,
        signer_info["signature"].native,
        b"\x31" + signer_info["signed_attrs"].dump()[1:],  # signed as a SET OF, sent as [0] (RFC 5652 5.4)
        HASHES[_known(hash_name)](),
        pss=name == "rsassa_pss",
    )
    if not may(signer, ExtendedKeyUsageOID.TIME_STAMPING, critical=True):
        raise Untrusted("the signer's certificate is not for time stamps (extended key usage, critical)")
    if not valid_at(signer, time):
        raise Untrusted("the signer's certificate was not valid at the time of the stamp")
    if ca is not None and not issued_under(signer, ca, certificates):
        raise Untrusted("the signer's certificate does not come from `ca`")
    return signer


def _known(hash_name: str) -> str:
    if hash_name not in HASHES:
        raise Untrusted("signed with a hash that is not known")
    return hash_name


def _certificates(choices: Any) -> list[x509.Certificate]:
    found = []
    for number, choice in enumerate(choices):
        if number == MAX_CERTIFICATES:
            break
        if choice.name == "certificate":
            found.append(x509.load_der_x509_certificate(choice.chosen.dump()))
    return found


def _chosen(sid: Any, certificates: list[x509.Certificate]) -> x509.Certificate:
    """The certificate that a SignerIdentifier names (RFC 5652 5.3)."""
    for certificate in certificates:
        if sid.name == "issuer_and_serial_number":
            named = certificate.serial_number == sid.chosen["serial_number"].native and (
                certificate.issuer.public_bytes() == sid.chosen["issuer"].dump()
            )
        else:
            named = _key_identifier(certificate) == sid.chosen.native
        if named:
            return certificate
    raise Untrusted("the signer's certificate is not in the stamp, though it was asked for")


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


def _bound(attributes: dict[str, Any], signer: x509.Certificate) -> None:
    """Raise `Untrusted` unless the signature names its own certificate (ESSCertID, RFC 2634 5.4 and RFC 5816)."""
    if "signing_certificate_v2" in attributes:
        identity = attributes["signing_certificate_v2"][0]["certs"][0]
        name = identity["hash_algorithm"]["algorithm"].native
    else:
        identity = attributes["signing_certificate"][0]["certs"][0]
        name = "sha1"
    if signer.fingerprint(HASHES[_known(name)]()) != identity["cert_hash"].native:
        raise Untrusted("the signature names another certificate")
