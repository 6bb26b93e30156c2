// All tests, in one process with one browser. Either file can be run by itself, too.

import './browser.test.mjs';
import './explorer.test.mjs';
