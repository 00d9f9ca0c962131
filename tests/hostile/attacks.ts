// All of them.
import {admin} from './admin.js';
import type {Attack} from './attack.js';
import {descriptors} from './descriptors.js';
import {frames} from './frames.js';
import {grpc} from './grpc.js';
import {handshakes} from './handshakes.js';
import {http} from './http.js';
import {inflate} from './inflate.js';
import {live} from './live.js';
import {machine} from './machine.js';
import {memory} from './memory.js';
import {otlp} from './otlp.js';
import {page} from './page.js';
import {reconnects} from './reconnects.js';

export const attacks: Attack[] = [
  ...frames,
  ...inflate,
  ...http,
  ...handshakes,
  ...memory,
  ...reconnects,
  ...descriptors,
  ...machine,
  ...admin,
  ...grpc,
  ...otlp,
  ...live,
  ...page,
];
