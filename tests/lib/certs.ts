// A certificate authority and what it signs, made with openssl in a temporary folder for one test run.
import {execFileSync} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {temporaryFolder} from './process.js';

export interface Certificate {
  certificate: string; // PEM files
  key: string;
}

export class Authority {
  private readonly folder = temporaryFolder();
  private serial = 0;
  readonly ca = join(this.folder, 'ca.pem');

  constructor() {
    this.openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=test authority',
      '-keyout',
      join(this.folder, 'ca.key'),
      '-out',
      this.ca,
    );
  }

  issue(name: string, names: string[] = ['DNS:localhost', 'IP:127.0.0.1']): Certificate {
    const stem = join(this.folder, `${name}-${++this.serial}`);
    const [key, request, certificate, extensions] = [`${stem}.key`, `${stem}.csr`, `${stem}.pem`, `${stem}.ext`];
    writeFileSync(extensions, `subjectAltName=${names.join(',')}\n`);
    this.openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      key,
      '-out',
      request,
    );
    this.openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      this.ca,
      '-CAkey',
      join(this.folder, 'ca.key'),
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      extensions,
      '-out',
      certificate,
    );
    return {certificate, key};
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, {stdio: ['ignore', 'pipe', 'pipe']});
  }
}
