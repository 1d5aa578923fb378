// A real OpenID provider on loopback, over TLS: node oidc_provider.mjs <configuration>
import { lookup } from 'node:dns';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const told = JSON.parse(readFileSync(process.argv[2], 'utf8'));
// The library lies in the project's cache, not beside this file.
const installed = createRequire(pathToFileURL(`${told.library}/`)).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(installed));

// The system's table of hosts is not ours to edit: the one name that is called is this machine.
function toLoopback(host, options, answer) {
  lookup(host === told.client ? '127.0.0.1' : host, options, answer);
}

const provider = new Provider(told.issuer, {
  ...told.settings,
  httpOptions: () => ({ dnsLookup: toLoopback }),
  findAccount: (_, id) => told.people[id] && { accountId: id, claims: () => ({ sub: id, ...told.people[id] }) },
});
for (const event of ['server_error', 'authorization.error', 'grant.error', 'userinfo.error', 'end_session.error'])
  provider.on(event, (_, error) => console.log(event, error.message, error.error_description, error.error_detail));
provider.on('backchannel.error', (_, error) => console.log('backchannel.error', error.message));

const tls = { key: readFileSync(told.key), cert: readFileSync(told.certificate) };
createServer(tls, provider.callback()).listen(told.port, '127.0.0.1');
