// The page at `/`: one connection to the bus, and the sheets that hang on it. What each does stands in its module.

import { connect } from '/callboard/index.js';

import { Cable } from './cable.js';
import { hangCut } from './cut.js';
import { showRefusal } from './elements.js';
import { hangJobs } from './jobs.js';
import { hangLine } from './line.js';
import { hangOffice } from './office.js';
import { hangTalk } from './talk.js';

// Nobody who watches wants to wait half a minute for the next attempt.
const bus = connect(undefined, { WebSocket: Cable, backoffCapMs: 3000 });

bus.onError(showRefusal);

hangLine(bus);
hangTalk(bus);
hangJobs(bus);
hangOffice(bus);
hangCut(bus);
