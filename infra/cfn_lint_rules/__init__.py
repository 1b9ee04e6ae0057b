"""The project's own rules for its templates; cfn-lint loads each module by its file (`.cfnlintrc.yaml`)."""
