// The official clients of both lines, as tests use them.
import {Client as ModernClient, StreamableHTTPClientTransport as ModernHttp} from '@modelcontextprotocol/client';
import {Client as LegacyClient} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport as LegacyHttp} from '@modelcontextprotocol/sdk/client/streamableHttp.js';

async function connect(client, Transport, url, token) {
  await client.connect(
      new Transport(new URL(url), {requestInit: {headers: {Authorization: `Bearer ${token}`}}}));
  return client;
}

export const clients = {
  'sdk 1.32': (url, token) =>
      connect(new LegacyClient({name: 'e2e', version: '1'}), LegacyHttp, url, token),
  'client 2.4': (url, token) => connect(
      new ModernClient({name: 'e2e', version: '1'}, {versionNegotiation: {mode: 'auto'}}),
      ModernHttp, url, token),
};
