"""The release protocol: how models, snapshots and datasets reach the functions, whole or not at all.

A release is a set of files under a key prefix of its own in the data bucket, and a manifest that names each of them
with its digest. `models/`, `snapshots/` and `datasets/` have one manifest each, `manifest.json`; it is the truth of
what is served.

Publishing (`publishing`) takes three steps, and a crash between two of them leaves what is said of it:

1. The files are written. No manifest names them yet, so nothing reads them; files that no manifest comes to name are
   removed later.
2. The present manifest is kept, unchanged: of a model under `models/releases/`, of a snapshot with its files; of a
   dataset none is kept. It is served, so the history is true whether or not the manifest is replaced afterwards;
   keeping it again writes the same.
3. The manifest is switched, by a conditional PUT: what is served changes now, or not at all. A publisher that lost a
   race has changed nothing.

A model release (`switching`) does this with a number that rises by one and a record of who, when and why, and then:

4. Files of versions that no kept release names are removed (`prune_models`). What is left over is removed next time.
5. The alias in MLflow is moved, and then a snapshot made (promote and rollback only). The alias is what the next
   `matchcast publish` will release. Without this step the service serves the new version on demand, the precomputed
   predictions are still of the old one, and a publish would bring that back: the same command, run again, finds the
   version served and makes up for the alias.

Reading (`readers`, `served_models`): a reader asks for a changed manifest at most every few seconds, verifies each
file, and keeps serving the last good release while a newer one is refused. An environment that starts meanwhile has
none of its own; it takes the newest kept release that is whole.

Order: numbers of model releases have six digits in keys, and ids of snapshots and datasets (`publishing.timed_id`)
begin with their time, so keys sort by the time of their releases. `history` reads the kept model manifests and says
what a stage would go back to.
"""
