"""Everything SimpleSAMLphp, and what runs it, reads: configuration, people, keys, service providers.

Of its many settings only those stand here that make it ours, or that differ from
its defaults on purpose, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.peers.authority import key_pair
from tests.peers.people import Person

_CONFIGURATION: Final = """<?php
$config = [
    'baseurlpath' => '{url}',
    'certdir' => '{folder}/keys/', 'metadatadir' => '{folder}/metadata/', 'attributenamemapdir' => '{folder}/metadata/',
    'loggingdir' => '{folder}/', 'datadir' => '{folder}/', 'tempdir' => '{folder}/temporary',
    'secretsalt' => 'only-for-tests-0123456789', 'auth.adminpassword' => 'only-for-tests-0123456789',
    'technicalcontact_email' => 'na@example.test', 'timezone' => 'UTC', 'admin.checkforupdates' => false,
    'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'showerrors' => true, 'errorreporting' => false, 'logging.handler' => 'errorlog',
    'store.type' => 'phpsession', 'session.phpsession.savepath' => '{folder}/sessions',
    // Answers come back by POST from another site, as in production.
    'session.cookie.secure' => true, 'session.cookie.samesite' => 'None',
    'language.available' => ['fr'], 'language.default' => 'fr', 'language.rtl' => [], 'theme.use' => 'default',
    'metadata.sources' => [['type' => 'flatfile']], 'authproc.idp' => [],
];
"""

_PEOPLE: Final = """<?php
$people = json_decode(file_get_contents(__DIR__ . '/people.json'), true);
$config = ['people' => array_merge(['exampleauth:UserPass'], $people)];
"""

# By default it signs no logout, and nobody may believe one that is not (Profiles §4.4.3.1).
_HOSTED: Final = """<?php
$options = json_decode(file_get_contents(__DIR__ . '/options.json'), true);
$metadata['{url}saml2/idp/metadata.php'] = array_merge([
    'host' => '__DEFAULT__', 'auth' => 'people', 'privatekey' => 'provider.key', 'certificate' => 'provider.crt',
    'sign.logout' => true,
], $options);
"""

# Its own reader of metadata makes of ours what its administrator would paste.
_PROVIDERS: Final = r"""<?php
foreach (glob(__DIR__ . '/provider-*.xml') as $file) {
    foreach (\SimpleSAML\Metadata\SAMLParser::parseDescriptorsFile($file) as $name => $entity) {
        $metadata[$name] = array_diff_key($entity->getMetadata20SP(), ['entityDescriptor' => 0, 'metadata-set' => 0]);
    }
}
"""

# As in production; it was written for an earlier PHP, which warned of less.
_PHP: Final = """display_errors = Off
log_errors = On
error_reporting = E_ALL & ~E_DEPRECATED
"""

_FPM: Final = """[global]
error_log = {folder}/provider.log
daemonize = no
[www]
listen = {folder}/php.sock
pm = static
pm.max_children = 2
catch_workers_output = yes
env[SIMPLESAMLPHP_CONFIG_DIR] = {folder}/config
{owner}
"""

_NGINX: Final = """daemon off;
master_process off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path temporary/body;
    proxy_temp_path temporary/proxy;
    fastcgi_temp_path temporary/fastcgi;
    uwsgi_temp_path temporary/uwsgi;
    scgi_temp_path temporary/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {host};
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location ~ ^/simplesaml(?<script>/.+?\\.php)(?<rest>/.*)?$ {{
            fastcgi_pass unix:{folder}/php.sock;
            fastcgi_param SCRIPT_FILENAME {share}/www$script;
            fastcgi_param SCRIPT_NAME /simplesaml$script;
            fastcgi_param PATH_INFO $rest if_not_empty;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param SERVER_NAME $host;
            fastcgi_param SERVER_PORT $server_port;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param HTTPS on;
        }}
    }}
}}
"""


def write(
    folder: Path,
    *,
    share: Path,
    extensions: Sequence[Path],
    host: str,
    port: int,
    tls: tuple[Path, Path],
    people: Sequence[Person],
    is_root: bool,
) -> None:
    """Write the files it starts from; `share` is its own folder of programs, `extensions` those of PHP it needs."""
    for name in ("config", "keys", "metadata", "sessions", "temporary"):
        (folder / name).mkdir(parents=True)
    told = {
        "url": f"https://{host}:{port}/simplesaml/",
        "folder": folder,
        "share": share,
        "host": host,
        "port": port,
        "key": tls[0],
        "certificate": tls[1],
        "owner": "user = root\ngroup = root" if is_root else "",
    }
    for file, content in {
        "php.ini": _PHP + "".join(f"extension={each}\n" for each in extensions),
        "fpm.conf": _FPM.format_map(told),
        "nginx.conf": _NGINX.format_map(told),
        "config/config.php": _filled(_CONFIGURATION, told),
        "config/authsources.php": _PEOPLE,
        "config/people.json": json.dumps({f"{each.login}:{each.password}": _lists(each) for each in people}),
        "metadata/saml20-idp-hosted.php": _filled(_HOSTED, told),
        "metadata/saml20-sp-remote.php": _PROVIDERS,
    }.items():
        (folder / file).write_text(content, encoding="utf-8")
    write_key(folder, "provider")


def write_key(folder: Path, name: str) -> None:
    """Write a key and its certificate, under the names its options may tell."""
    key, certificate = key_pair(name)
    (folder / "keys" / f"{name}.key").write_text(key)
    (folder / "keys" / f"{name}.crt").write_text(certificate)


def write_options(folder: Path, options: Mapping[str, object]) -> None:
    """Write the options of the identity provider, in its own words."""
    (folder / "metadata" / "options.json").write_text(json.dumps(options))


def write_providers(folder: Path, metadata: Sequence[str]) -> None:
    """Write the metadata of its service providers."""
    for number, each in enumerate(metadata):
        (folder / "metadata" / f"provider-{number}.xml").write_text(each, encoding="utf-8")


def _filled(content: str, told: Mapping[str, object]) -> str:
    for name in ("folder", "url"):
        content = content.replace(f"{{{name}}}", str(told[name]))
    return content


def _lists(person: Person) -> dict[str, list[str]]:
    return {name: value if isinstance(value, list) else [value] for name, value in person.attributes.items()}
